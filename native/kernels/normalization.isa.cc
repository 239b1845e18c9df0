#include "kernels/normalization.h"

#include "simd/vec.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Columns summed together in double; the sums of a column don't depend on which group it falls into.
constexpr size_t kColumns = 16;

// sum[c] += term(r, c) over rows in order. A constant number of columns lets the compiler keep the sums in registers.
template <typename Term>
ML_INLINE void sum_columns(size_t m, size_t columns, double* sum, Term term) {
  if (columns == kColumns) {
    double local[kColumns] = {};
    for (size_t r = 0; r < m; r++) {
      for (size_t c = 0; c < kColumns; c++) local[c] += term(r, c);
    }
    for (size_t c = 0; c < kColumns; c++) sum[c] = local[c];
    return;
  }
  for (size_t c = 0; c < columns; c++) {
    double local = 0;
    for (size_t r = 0; r < m; r++) local += term(r, c);
    sum[c] = local;
  }
}

void column_moments(size_t m, size_t n, const float* x, float* mean, float* variance) {
  const double count = m == 0 ? 1.0 : static_cast<double>(m);
  for (size_t j = 0; j < n; j += kColumns) {
    const size_t columns = least(kColumns, n - j);
    const float* block = x + j;
    double center[kColumns] = {}, sum[kColumns] = {};
    sum_columns(m, columns, center, [=](size_t r, size_t c) { return static_cast<double>(block[r * n + c]); });
    for (size_t c = 0; c < columns; c++) center[c] /= count;
    const double* from = center;
    sum_columns(m, columns, sum, [=](size_t r, size_t c) {
      const double distance = static_cast<double>(block[r * n + c]) - from[c];
      return distance * distance;
    });
    for (size_t c = 0; c < columns; c++) {
      mean[j + c] = static_cast<float>(center[c]);
      variance[j + c] = static_cast<float>(sum[c] / count);
    }
  }
}

void batch_norm_forward(size_t m, size_t n, const float* x, const float* mean, const float* inverse_std, const float* gamma, const float* beta,
                        float* x_hat, float* y) {
  for (size_t r = 0; r < m; r++) {
    const float* row = x + r * n;
    float* hat = x_hat + r * n;
    float* to = y + r * n;
    for_vectors(n, [=](size_t i, size_t count) {
      const V value = (get(row + i, count) - get(mean + i, count)) * get(inverse_std + i, count);
      put(hat + i, value, count);
      put(to + i, fma(value, get(gamma + i, count), get(beta + i, count)), count);
    });
  }
}

void batch_norm_backward(size_t m, size_t n, const float* x_hat, const float* inverse_std, const float* gamma, const float* d_y, float* d_x,
                         bool accumulate, float* d_gamma, float* d_beta) {
  if (m == 0) return;
  for (size_t j = 0; j < n; j += kColumns) {
    const size_t columns = least(kColumns, n - j);
    const float* hat = x_hat + j;
    const float* d = d_y + j;
    double sum[kColumns] = {}, product[kColumns] = {};
    sum_columns(m, columns, sum, [=](size_t r, size_t c) { return static_cast<double>(d[r * n + c]); });
    sum_columns(m, columns, product, [=](size_t r, size_t c) {
      return static_cast<double>(d[r * n + c]) * static_cast<double>(hat[r * n + c]);
    });
    float factor[kColumns] = {}, mean_d[kColumns] = {}, mean_product[kColumns] = {};
    for (size_t c = 0; c < columns; c++) {
      d_gamma[j + c] += static_cast<float>(product[c]);
      d_beta[j + c] += static_cast<float>(sum[c]);
      factor[c] = gamma[j + c] * inverse_std[j + c];
      mean_d[c] = static_cast<float>(sum[c] / static_cast<double>(m));
      mean_product[c] = static_cast<float>(product[c] / static_cast<double>(m));
    }
    const float *factors = factor, *means = mean_d, *products = mean_product;
    for (size_t r = 0; r < m; r++) {
      const size_t at = r * n + j;
      for_vectors(columns, [=](size_t i, size_t count) {
        const V centered = get(d_y + at + i, count) - get(means + i, count);
        const V value = get(factors + i, count) * fma(-get(x_hat + at + i, count), get(products + i, count), centered);
        put(d_x + at + i, accumulate ? get(d_x + at + i, count) + value : value, count);
      });
    }
  }
}

}  // namespace

extern const NormalizationKernels normalization_kernels = {column_moments, batch_norm_forward, batch_norm_backward};

}  // namespace ML_ISA
}  // namespace monolith
