// Numbers in text, and the two functions of them that parsers need. Twin: src/data/twins/number-text.ts; the two agree to the bit.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace monolith {

inline bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

// Longer texts are no numbers.
constexpr size_t kLongestNumber = 512;

inline bool equals_ignoring_case(const uint8_t* p, size_t n, const char* lower) {
  for (size_t i = 0; i < n; i++) {
    if (lower[i] == 0 || (p[i] | 0x20) != static_cast<uint8_t>(lower[i])) return false;
  }
  return lower[n] == 0;
}

// [+-] digits [. digits] [e [+-] digits] | nan | inf | infinity, correctly rounded. False: not a number.
inline bool parse_number(const uint8_t* p, size_t n, double* out) {
  static constexpr double kPower10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (n == 0 || n > kLongestNumber) return false;
  // Most numbers are a few digits and nothing else: exact in a double.
  if (n <= 15) {
    uint64_t whole = 0;
    size_t k = 0;
    for (; k < n && is_digit(p[k]); k++) whole = whole * 10 + (p[k] - '0');
    if (k == n) {
      *out = static_cast<double>(whole);
      return true;
    }
  }
  size_t i = 0;
  bool negative = false;
  if (p[0] == '-' || p[0] == '+') {
    negative = p[0] == '-';
    i = 1;
  }
  uint64_t mantissa = 0;
  int significant = 0, exponent = 0;
  size_t digits = 0;
  for (; i < n && is_digit(p[i]); i++, digits++) {
    if (significant < 18) {
      mantissa = mantissa * 10 + (p[i] - '0');
      if (mantissa != 0) significant++;
    } else {
      significant++;
    }
  }
  if (i < n && p[i] == '.') {
    for (i++; i < n && is_digit(p[i]); i++, digits++) {
      if (significant < 18) {
        mantissa = mantissa * 10 + (p[i] - '0');
        if (mantissa != 0) significant++;
        exponent--;
      } else {
        significant++;
      }
    }
  }
  if (digits == 0) {
    const uint8_t* word = p + i;
    size_t length = n - i;
    if (i > 1) return false;
    if (equals_ignoring_case(word, length, "nan")) {
      *out = std::numeric_limits<double>::quiet_NaN();
      return true;
    }
    if (equals_ignoring_case(word, length, "inf") || equals_ignoring_case(word, length, "infinity")) {
      *out = negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
      return true;
    }
    return false;
  }
  int written = 0;
  if (i < n && (p[i] | 0x20) == 'e') {
    i++;
    bool down = false;
    if (i < n && (p[i] == '-' || p[i] == '+')) down = p[i++] == '-';
    size_t start = i;
    for (; i < n && is_digit(p[i]); i++) written = written > 100000 ? written : written * 10 + (p[i] - '0');
    if (i == start) return false;
    if (down) written = -written;
  }
  if (i != n) return false;
  exponent += written;
  // At most 2^53 and a power of ten that a double holds exactly: one correctly rounded operation.
  if (significant <= 18 && mantissa <= 9007199254740992ull && exponent >= -22 && exponent <= 22) {
    double value = static_cast<double>(mantissa);
    value = exponent < 0 ? value / kPower10[-exponent] : value * kPower10[exponent];
    *out = negative ? -value : value;
    return true;
  }
  char text[kLongestNumber + 1];
  std::memcpy(text, p, n);
  text[n] = 0;
  *out = std::strtod(text, nullptr);
  return true;
}

// Natural logarithm of x ≥ 1. Own series, since libm's last bit differs from machine to machine.
inline double natural_log(double x) {
  if (!(x < std::numeric_limits<double>::infinity())) return x;
  uint64_t bits;
  std::memcpy(&bits, &x, 8);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  std::memcpy(&m, &bits, 8);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent++;
  }
  double s = (m - 1) / (m + 1), z = s * s;
  double sum = 1.0 / 23;
  for (int k = 21; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
  return exponent * 0.6931471805599453 + 2 * s * sum;
}

// ln(1 + max(x, 0)); NaN stays NaN.
inline double log1p_positive(double x) {
  if (!(x > 0)) return x != x ? x : 0;
  double u = 1 + x;
  if (u == 1) return x;
  if (!(u < std::numeric_limits<double>::infinity())) return u;
  return natural_log(u) * (x / (u - 1));
}

// log1p_positive as a float, of small whole numbers from a table that is filled as they come; NaN: not yet.
class LogTable {
 public:
  LogTable() {
    std::memset(values_, 0xff, sizeof values_);
    values_[0] = 0;
  }
  float of(double x) {
    if (!(x >= 0 && x < kEntries)) return static_cast<float>(log1p_positive(x));
    const int32_t whole = static_cast<int32_t>(x);
    if (whole != x) return static_cast<float>(log1p_positive(x));
    float& value = values_[whole];
    if (value != value) value = static_cast<float>(log1p_positive(x));
    return value;
  }

 private:
  static constexpr int32_t kEntries = 2048;
  float values_[kEntries];
};

}  // namespace monolith
