#include "batch/manifest_index.hpp"

#include <lightswitch/error.hpp>

#include <unordered_map>

namespace lightswitch {

ManifestIndex index_manifest(const std::filesystem::path& manifest, const Shard& shard,
                             const std::function<void(const BatchItem&)>& visit, const std::stop_token& stop) {
  ManifestIndex index;
  std::unordered_map<std::string, int64_t> first;
  LineReader lines(manifest);
  while (const auto line = lines.next(stop)) {
    const bool ours = shard.has(line->number);
    if (ours) ++index.items;
    try {
      const BatchItem item = parse_line(*line, manifest);
      const auto [entry, is_new] = first.emplace(item.id, line->number);
      if (!is_new) index.repeated.emplace(line->number, entry->second);
      if (is_new) ++index.usable;
      if (!ours || !is_new) continue;
      if (item.is_picture()) ++index.pictures;
      visit(item);
    } catch (const Error& error) {  // recorded when its turn comes
      if (index.first_mistake.empty()) index.first_mistake = error.what();
    }
  }
  if (stop.stop_requested()) throw Cancelled();
  return index;
}

BatchItem parse_line(const LineReader::Line& line, const std::filesystem::path& origin) {
  if (line.too_long)
    throw FormatError("line too long",
                      {origin.string() + ":" + std::to_string(line.number), "", "at most 1 MiB", "more"});
  return parse_batch_item(line.text, line.number, origin);
}

void require_first(const BatchItem& item, const ManifestIndex& index, const std::filesystem::path& origin) {
  const auto entry = index.repeated.find(item.line);
  if (entry == index.repeated.end()) return;
  throw FormatError("this id is taken",
                    {origin.string() + ":" + std::to_string(item.line), "id", "one that no line before has",
                     item.id + ", as on line " + std::to_string(entry->second)});
}

}  // namespace lightswitch
