#pragma once

#include <lightswitch/batch/results.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace lightswitch {

/// Looks up what a batch's folder holds. Every tar is read once.
class PictureFolder {
 public:
  /// @param hashes whether sha256() is going to be asked.
  explicit PictureFolder(std::filesystem::path folder, bool hashes = false)
      : folder_(std::move(folder)), hashes_(hashes) {}

  /// Bytes of a picture; -1 where it is not there. @throws FileError, FormatError for a damaged tar.
  int64_t bytes(const ItemResult& result);
  /// Of a picture that is there. @throws as bytes().
  std::string sha256(const ItemResult& result);
  /// @throws as bytes().
  void visit_all_tars(const std::function<void(const std::string& tar, const std::string& member)>& visit);

 private:
  struct Member {
    int64_t bytes = 0;
    std::string sha256;
  };
  using Tar = std::map<std::string, Member>;
  const Tar& tar(const std::string& name);

  std::filesystem::path folder_;
  bool hashes_;
  std::map<std::string, Tar> tars_;
};

}  // namespace lightswitch
