#pragma once

#include <lightswitch/weights.hpp>

#include <filesystem>
#include <memory>

namespace lightswitch::nn {

/// A checkpoint that torch.save wrote: a zip archive of a pickle and the numbers, stored uncompressed. Nothing in it is
/// executed; objects of classes other than tensors and containers are passed over. The tensors are those of the whole
/// file's dict, or of the dict in it called state_dict, params_ema, model, params, module or generator.
/// Views of one storage are honoured, strides included, inside that storage.
/// @throws FileError, FormatError.
std::shared_ptr<const WeightSource> open_pytorch_file(const std::filesystem::path& file);

}  // namespace lightswitch::nn
