#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

namespace lightswitch::cli {

/// How a piece of work in a process of its own ended.
struct IsolatedResult {
  std::string text;     ///< what the work returned
  std::string failure;  ///< why it returned nothing: a signal, a hang; empty when it did
};

/// Runs `work` in a copy of this process, which it cannot harm. Meant for a program that has not computed anything yet:
/// LibTorch's threads do not follow into the copy. @throws Cancelled when stopped, FileError when there is no process
/// to be had.
IsolatedResult run_isolated(const std::function<std::string()>& work, std::chrono::seconds limit, std::stop_token stop);

}  // namespace lightswitch::cli
