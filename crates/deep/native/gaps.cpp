// What tch 0.24 lacks, one function a gap. Each returns null, or a message the caller frees with `tl_free`: no C++ exception
// crosses into Rust.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

char *copy(const char *text) {
  char *out = static_cast<char *>(std::malloc(std::strlen(text) + 1));
  if (out != nullptr) std::strcpy(out, text);
  return out;
}

template <typename F> char *guarded(F work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception &error) {
    return copy(error.what());
  } catch (...) {
    return copy("an exception of unknown type");
  }
}

std::vector<at::Tensor> gather(at::Tensor *const *tensors, size_t n) {
  std::vector<at::Tensor> out;
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) out.push_back(*tensors[i]);
  return out;
}

// The input itself; its gradient comes back times -lambda.
struct Reverse : torch::autograd::Function<Reverse> {
  static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, double lambda) {
    context->saved_data["lambda"] = lambda;
    return x.view_as(x);
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *context,
                                               torch::autograd::tensor_list gradients) {
    return {gradients[0].mul(-context->saved_data["lambda"].toDouble()), at::Tensor()};
  }
};

} // namespace

extern "C" {

void tl_free(char *message) { std::free(message); }

// Loads a shared library now and for all that follows, as libtorch_cuda has to be before the first tensor is made.
char *tl_load(const char *path) {
  return guarded([&] {
    if (dlopen(path, RTLD_NOW | RTLD_GLOBAL) == nullptr) throw std::runtime_error(dlerror());
  });
}

// 32 MiB is the largest threshold that glibc takes, -1 no trimming at all. Both also end glibc's own choice of thresholds.
char *tl_keep_memory() {
  return guarded([] {
#ifdef __GLIBC__
    if (mallopt(M_MMAP_THRESHOLD, 32 << 20) != 1 || mallopt(M_TRIM_THRESHOLD, -1) != 1)
      throw std::runtime_error("mallopt refuses its arguments");
#endif
  });
}

char *tl_set_precision(bool tf32) {
  return guarded([&] {
    at::globalContext().setAllowTF32CuBLAS(tf32);
    at::globalContext().setAllowTF32CuDNN(tf32);
  });
}

char *tl_set_deterministic(bool deterministic) {
  return guarded([&] {
    at::globalContext().setDeterministicAlgorithms(deterministic, false);
    at::globalContext().setDeterministicCuDNN(deterministic);
    at::globalContext().setBenchmarkCuDNN(!deterministic);
  });
}

// Reports what was set before, so that a scope can restore it.
char *tl_set_autocast_bf16(bool cuda, bool enabled, bool *before) {
  return guarded([&] {
    auto device = cuda ? at::kCUDA : at::kCPU;
    *before = at::autocast::is_autocast_enabled(device);
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_enabled(device, enabled);
    if (!enabled) at::autocast::clear_cache();
  });
}

// Views keep their base, and what autograd saves holds either the tensor or its storage, so the two counts tell.
char *tl_is_unshared(const at::Tensor *x, bool *out) {
  return guarded([&] { *out = x->use_count() == 1 && x->has_storage() && x->storage().use_count() == 1; });
}

char *tl_clear_gradients(at::Tensor *const *tensors, size_t n) {
  return guarded([&] {
    for (size_t i = 0; i < n; ++i) tensors[i]->mutable_grad().reset();
  });
}

char *tl_reverse_gradient(const at::Tensor *x, double lambda, at::Tensor **out) {
  return guarded([&] { *out = new at::Tensor(Reverse::apply(*x, lambda)); });
}

char *tl_channels_last(const at::Tensor *x, at::Tensor **out) {
  return guarded([&] { *out = new at::Tensor(x->contiguous(at::MemoryFormat::ChannelsLast)); });
}

char *tl_sgd(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *momenta, size_t n, double rate,
             double momentum, double weight_decay, bool nesterov, bool first) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto buffers = momentum == 0.0 ? std::vector<at::Tensor>{} : gather(momenta, n);
    auto p = gather(parameters, n);
    at::_fused_sgd_(p, gather(gradients, n), buffers, weight_decay, momentum, rate, 0.0, nesterov, false, first);
  });
}

// `decoupled`: AdamW, whose decay does not go through the moments; else Adam.
char *tl_adam(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *first, at::Tensor *const *second,
              at::Tensor *const *steps, size_t n, double rate, double beta1, double beta2, double weight_decay, double epsilon,
              bool decoupled) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto p = gather(parameters, n);
    auto g = gather(gradients, n);
    auto m = gather(first, n);
    auto v = gather(second, n);
    auto s = gather(steps, n);
    if (decoupled)
      at::_fused_adamw_(p, g, m, v, {}, s, rate, beta1, beta2, weight_decay, epsilon, false, false);
    else
      at::_fused_adam_(p, g, m, v, {}, s, rate, beta1, beta2, weight_decay, epsilon, false, false);
  });
}
}
