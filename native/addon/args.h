// Reading arguments of a call from JavaScript. Every reader checks type and length; on the first wrong one a TypeError or RangeError is
// pending and ok() is false: the callback then returns nullptr without touching memory. No exceptions, no Node headers beyond node_api.h.
#pragma once
#include <node_api.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace monolith {

template <typename T>
struct Span {
  T* data = nullptr;
  size_t length = 0;
};

template <typename T> struct TypedArrayType;
template <> struct TypedArrayType<float> { static constexpr napi_typedarray_type value = napi_float32_array; };
template <> struct TypedArrayType<double> { static constexpr napi_typedarray_type value = napi_float64_array; };
template <> struct TypedArrayType<int32_t> { static constexpr napi_typedarray_type value = napi_int32_array; };
template <> struct TypedArrayType<uint32_t> { static constexpr napi_typedarray_type value = napi_uint32_array; };
template <> struct TypedArrayType<uint8_t> { static constexpr napi_typedarray_type value = napi_uint8_array; };
template <> struct TypedArrayType<int64_t> { static constexpr napi_typedarray_type value = napi_bigint64_array; };
template <> struct TypedArrayType<uint64_t> { static constexpr napi_typedarray_type value = napi_biguint64_array; };

class Args {
 public:
  static constexpr size_t kMax = 32;

  Args(napi_env env, napi_callback_info info, const char* function, size_t expected) : env_(env), function_(function) {
    count_ = kMax;
    napi_get_cb_info(env, info, &count_, values_, &this_, nullptr);
    if (count_ < expected) {
      char text[128];
      std::snprintf(text, sizeof text, "%s: %zu arguments, expected %zu", function, count_, expected);
      fail_type(text);
    }
  }

  bool ok() const { return ok_; }
  napi_env env() const { return env_; }
  napi_value receiver() const { return this_; }
  napi_value raw(size_t i) const { return values_[i]; }

  bool boolean(size_t i) {
    bool value = false;
    if (ok_ && napi_get_value_bool(env_, values_[i], &value) != napi_ok) wrong(i, "a boolean");
    return value;
  }

  double number(size_t i) {
    double value = 0;
    if (ok_ && napi_get_value_double(env_, values_[i], &value) != napi_ok) wrong(i, "a number");
    return value;
  }

  // A whole number in [0, 2^53].
  size_t size(size_t i) {
    double value = number(i);
    if (ok_ && !(value >= 0 && value <= 9007199254740992.0 && std::floor(value) == value)) wrong(i, "a whole number >= 0");
    return ok_ ? static_cast<size_t>(value) : 0;
  }

  int64_t integer(size_t i) {
    double value = number(i);
    if (ok_ && !(std::fabs(value) <= 9007199254740992.0 && std::floor(value) == value)) wrong(i, "a whole number");
    return ok_ ? static_cast<int64_t>(value) : 0;
  }

  uint32_t u32(size_t i) {
    double value = number(i);
    if (ok_ && !(value >= 0 && value <= 4294967295.0 && std::floor(value) == value)) wrong(i, "a whole number in 0..4294967295");
    return ok_ ? static_cast<uint32_t>(value) : 0;
  }

  // A typed array of exactly this element type with at least `atLeast` elements.
  template <typename T>
  Span<T> array(size_t i, size_t atLeast) {
    return view<T>(values_[i], i, atLeast);
  }

  template <typename T>
  Span<T> nullable_array(size_t i, size_t atLeast) {
    if (!ok_) return {};
    napi_valuetype type;
    if (napi_typeof(env_, values_[i], &type) == napi_ok && (type == napi_null || type == napi_undefined)) return {};
    return view<T>(values_[i], i, atLeast);
  }

  template <typename T>
  Span<T> view(napi_value value, size_t i, size_t atLeast) {
    Span<T> span;
    if (!ok_) return span;
    napi_typedarray_type type;
    void* data = nullptr;
    if (napi_get_typedarray_info(env_, value, &type, &span.length, &data, nullptr, nullptr) != napi_ok || type != TypedArrayType<T>::value) {
      wrong(i, "a typed array of the right element type");
      return {};
    }
    span.data = static_cast<T*>(data);
    if (span.length < atLeast) {
      char text[192];
      std::snprintf(text, sizeof text, "%s: argument %zu has %zu elements, expected at least %zu", function_, i, span.length, atLeast);
      fail_range(text);
      return {};
    }
    return span;
  }

  void fail_type(const char* text) {
    if (ok_) napi_throw_type_error(env_, "ERR_MONOLITH_ARGUMENT", text);
    ok_ = false;
  }
  void fail_range(const char* text) {
    if (ok_) napi_throw_range_error(env_, "ERR_MONOLITH_SHAPE", text);
    ok_ = false;
  }

 private:
  void wrong(size_t i, const char* expected) {
    char text[160];
    std::snprintf(text, sizeof text, "%s: argument %zu must be %s", function_, i, expected);
    fail_type(text);
  }

  napi_env env_;
  napi_value values_[kMax];
  napi_value this_ = nullptr;
  size_t count_ = 0;
  const char* function_;
  bool ok_ = true;
};

inline napi_value make_number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

// Adds a function to `exports`.
inline void export_function(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

}  // namespace monolith
