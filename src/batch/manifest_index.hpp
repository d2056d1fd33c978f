#pragma once

#include <lightswitch/batch/manifest.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "batch/line_reader.hpp"

namespace lightswitch {

/// What has to be known of a whole manifest before its first item is made.
struct ManifestIndex {
  int64_t items = 0;                    ///< lines of the shard, bad ones too
  int64_t usable = 0;                   ///< of the whole manifest
  int64_t pictures = 0;                 ///< of the shard's usable items, those that are no sounds
  std::string first_mistake;            ///< empty where every line is usable
  std::map<int64_t, int64_t> repeated;  ///< lines whose id stands in an earlier one, and that one
};

/// @param visit told the items of the shard. @throws FileError, Cancelled.
ManifestIndex index_manifest(const std::filesystem::path& manifest, const Shard& shard,
                             const std::function<void(const BatchItem&)>& visit, const std::stop_token& stop = {});

/// parse_batch_item(), which also refuses lines that are too long. @throws FormatError, UnsupportedError.
BatchItem parse_line(const LineReader::Line& line, const std::filesystem::path& origin);

/// @throws FormatError when the line's id was taken by an earlier one.
void require_first(const BatchItem& item, const ManifestIndex& index, const std::filesystem::path& origin);

}  // namespace lightswitch
