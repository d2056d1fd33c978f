#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lightswitch {

enum class ItemState {
  done,
  failed,
  skipped,  ///< was there already, with the same digest
};

/// What became of one item: a line of a results file.
struct ItemResult {
  int64_t line = 0;  ///< of the manifest, from 1
  std::string id;    ///< empty where the line does not tell
  ItemState state = ItemState::failed;
  std::string out;     ///< file, relative to the batch's folder
  std::string member;  ///< of the tar file `out`; empty where `out` is the picture
  std::string digest;  ///< see BatchDigest
  std::string sha256;  ///< of the picture file's bytes
  int64_t bytes = 0;   ///< of the picture file
  /// decode: a picture's share of the micro-batch, or a stream to a sound; encode_file: a sound to a stream too
  double ms_denoise = 0, ms_decode = 0, ms_encode_file = 0;
  int64_t peak_bytes = 0;  ///< the process's peak resident memory so far
  int64_t process = 0;     ///< that made it, as the system numbers them
  int64_t own_bytes = 0;   ///< its memory at that time, without pages of files; 0 where the system does not tell
  std::string dtype;       ///< arithmetic of the networks that made it
  std::string error;       ///< why it failed
  bool retry = false;      ///< failed, and may succeed another time
};

/// One line of JSON, without the line's end.
std::string to_json(const ItemResult& result);
/// @throws FormatError naming `origin` and the key.
ItemResult parse_item_result(std::string_view text, const std::string& origin);

}  // namespace lightswitch
