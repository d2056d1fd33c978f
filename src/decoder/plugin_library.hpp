#pragma once

#include <lightswitch/plugin.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace lightswitch {

/// A loaded plug-in whose entry has been read and checked. Whoever holds it keeps the library loaded.
class PluginLibrary {
 public:
  /// @throws FileError, FormatError, PluginError: see describe_plugin().
  static std::shared_ptr<const PluginLibrary> open(const std::filesystem::path& file);
  ~PluginLibrary();
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  const std::string& file() const { return file_; }
  /// The plug-in's structs as this host knows them: what the plug-in does not have is zero, what it has more is left
  /// out.
  const lightswitch_plugin& entry() const { return entry_; }
  const lightswitch_decoder_table& decoder() const { return decoder_; }

  /// The extension's table; nullopt when the plug-in does not have it. @throws PluginError when it is truncated.
  template <typename Table>
  std::optional<Table> extension(const char* id) const {
    const void* table = find_extension(id, sizeof(Table));
    if (table == nullptr) return std::nullopt;
    Table known;
    std::memcpy(&known, table, sizeof known);
    return known;
  }

 private:
  explicit PluginLibrary(const std::filesystem::path& file);
  void read_entry();
  void check_texts() const;
  void read_decoder_table();
  /// @throws PluginError unless the table that starts with its own size is at least `least` bytes long.
  void require_size(const void* table, uint32_t least, const std::string& name) const;
  const void* find_extension(const char* id, uint32_t least) const;

  std::string file_;
  std::shared_ptr<void> handle_;
  lightswitch_plugin entry_{};
  lightswitch_decoder_table decoder_{};
};

}  // namespace lightswitch
