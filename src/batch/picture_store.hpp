#pragma once

#include <lightswitch/batch/batch.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "batch/ledger.hpp"

namespace lightswitch {

/// An encoded picture on its way to the disk.
struct EncodedPicture {
  ItemResult result;  ///< what is known of it so far: all but `out`, `member` and the time that writing takes
  std::string name;   ///< "ID.png"
  std::string bytes;
  std::string facts;  ///< JSON about the item, for formats that have a place for it
};

/// Where pictures go. Settles them in the ledger once they are safe. Any thread may add.
class PictureStore {
 public:
  virtual ~PictureStore() = default;
  /// @throws FileError: then the picture is not there, and not settled.
  virtual void add(EncodedPicture picture) = 0;
  /// @throws FileError.
  virtual void finish() = 0;
};

/// One file a picture.
std::unique_ptr<PictureStore> store_files(const std::filesystem::path& folder, Ledger& ledger);

/// Tar files of so many pictures, each with a JSON file beside it (the layout of WebDataset), called
/// pictures-I-of-N-000000.tar and so on. A tar appears when it is full.
std::unique_ptr<PictureStore> store_tars(const std::filesystem::path& folder, const Shard& shard, int64_t items,
                                         Ledger& ledger);

/// What the names of a shard's tars begin with.
std::string tar_prefix(const Shard& shard);

/// The results of tars that appeared before their results were written.
/// @param recorded whether a results file has this one. @throws FileError, FormatError.
std::vector<ItemResult> results_in_tars(
    const std::filesystem::path& folder, const Shard& shard,
    const std::function<bool(const std::string& tar, const std::string& id)>& recorded);

/// Removes what killed runs of this shard left under temporary names.
/// @param ours whether an id belongs to the shard.
void remove_leftovers(const std::filesystem::path& folder, const Shard& shard,
                      const std::function<bool(const std::string& id)>& ours);

}  // namespace lightswitch
