#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace lightswitch {

/// Where a failure was found, and what was there. Empty strings mean "does not apply".
struct ErrorDetail {
  std::string file;      ///< path of the file at fault
  std::string field;     ///< tensor, JSON key, option or argument at fault
  std::string expected;  ///< what would have been right
  std::string found;     ///< what was there instead
};

/// Base of everything the library throws. what() reads "file: field: message: expected X, found Y", leaving out what is
/// empty.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorDetail detail = {})
      : std::runtime_error(compose(message, detail)), detail_(std::move(detail)) {}

  const ErrorDetail& detail() const noexcept { return detail_; }

 private:
  static std::string compose(const std::string& message, const ErrorDetail& detail) {
    std::string text;
    if (!detail.file.empty()) text += detail.file + ": ";
    if (!detail.field.empty()) text += detail.field + ": ";
    text += message;
    if (!detail.expected.empty()) text += ": expected " + detail.expected;
    if (!detail.found.empty()) text += (detail.expected.empty() ? ": found " : ", found ") + detail.found;
    return text;
  }

  ErrorDetail detail_;
};

/// A file cannot be opened, read, created or renamed.
class FileError : public Error {
 public:
  using Error::Error;
};

/// A file is not what its format promises: truncated, lying offsets, wrong magic, malformed JSON.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// A file's content differs from the hash or size its package records.
class IntegrityError : public Error {
 public:
  using Error::Error;
};

/// A weight file does not fit the network: missing, unexpected or misshapen tensors, or another family.
class WeightsError : public Error {
 public:
  using Error::Error;
};

/// An option is unknown, out of range or contradicts another one.
class OptionError : public Error {
 public:
  using Error::Error;
};

/// A tensor at a boundary has the wrong shape, dtype, device or latent kind.
class TensorError : public Error {
 public:
  using Error::Error;
};

/// Numbers went bad: NaN or infinity where finite values are required.
class NumericError : public Error {
 public:
  using Error::Error;
};

/// Memory could not be had.
class MemoryError : public Error {
 public:
  using Error::Error;
};

/// The request is understood and cannot be served by this build, machine or model.
class UnsupportedError : public Error {
 public:
  using Error::Error;
};

/// A stop was requested through a std::stop_token. The object that threw stays usable.
class Cancelled : public Error {
 public:
  Cancelled() : Error("cancelled") {}
};

}  // namespace lightswitch
