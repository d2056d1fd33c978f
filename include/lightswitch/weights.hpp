#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lightswitch {

/// Name, element type and shape of one stored tensor.
struct TensorInfo {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
};

/// A read-only set of named tensors: a file on disk, or memory in tests. Safe to read from several threads.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// Path of the file, or a word such as "memory"; used in error messages.
  virtual const std::string& origin() const = 0;
  /// What the tensors came in: "safetensors", "PyTorch checkpoint", … or "memory".
  virtual const std::string& format() const;
  /// Free text stored with the tensors: safetensors' __metadata__; of a checkpoint, where in it the tensors were found,
  /// its short facts such as the epoch, and the classes that were passed over.
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  /// Every tensor, sorted by name.
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  /// The named tensor in its stored dtype, on the CPU. May share the file's mapping: do not write to it.
  /// @throws WeightsError when there is no such tensor.
  virtual at::Tensor read(const std::string& name) const = 0;

  /// The entry of that name, or null.
  const TensorInfo* find(const std::string& name) const;
};

/// The weight file that a path means: the file itself, or the one in a folder as diffusers and transformers name it
/// (diffusion_pytorch_model.safetensors, its .fp16 variant, model.safetensors, their index.json when they are cut into
/// shards, diffusion_pytorch_model.bin).
/// @throws FileError for a folder without any.
std::filesystem::path find_weight_file(const std::filesystem::path& path);

/// Opens a weight file, or the one in a folder, after sniffing its first bytes: safetensors, the index.json of
/// safetensors shards, a zip archive by torch.save (.pth, .ckpt, .bin), of which nothing is executed, or GGUF without
/// quantised tensors.
/// Every offset, size and shape is checked before it is used. Element types: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
/// Numbers stay in the mapped file until they are converted.
/// @throws FileError when it cannot be read, FormatError when it is not sound (says what it looks like).
std::shared_ptr<const WeightSource> open_weights(const std::filesystem::path& path);

/// Tensors that live in memory, for tests and for weights made by the program itself.
std::shared_ptr<const WeightSource> weights_from_memory(std::map<std::string, at::Tensor> tensors,
                                                        std::string origin = "memory",
                                                        std::map<std::string, std::string> metadata = {});

/// Writes a safetensors file: temporary name in the same folder, then rename. Tensors are stored contiguous, sorted by
/// name.
/// @throws FileError when it cannot be written; the target is then untouched.
void save_safetensors(const std::filesystem::path& file, const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace lightswitch
