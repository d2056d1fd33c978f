#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lightswitch::cli {

/// The pattern that -o means: the text itself, or the frames 0000.png, 0001.png, … of a folder that exists and is not
/// called like a picture.
std::string picture_pattern(const std::string& output);

/// Names for `count` outputs. `%d` or `%04d` in the pattern becomes the index, from 0; without it several outputs are
/// called NAME.png, NAME_2.png, NAME_3.png, … as stable-diffusion.cpp does. `%%` is a percent sign.
/// @throws UsageError for any other use of `%`.
std::vector<std::filesystem::path> output_names(const std::string& pattern, int64_t count);

/// Where the latents of a clip are kept until it is finished: OUTPUT.latents.safetensors, with the first index where
/// OUTPUT has one; in a folder clip.latents.safetensors.
std::filesystem::path latents_beside(const std::string& output);

/// Finds mistakes before the work starts rather than after it.
/// @throws UsageError for an extension that is no picture's, FileError when the folder does not exist.
void check_picture_target(const std::string& pattern);
/// @throws FileError when the folder does not exist.
void check_folder_of(const std::filesystem::path& file);

}  // namespace lightswitch::cli
