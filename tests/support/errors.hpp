#pragma once

#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include <stdexcept>
#include <string>
#include <typeinfo>

namespace lightswitch::testing {

/// Runs `action` and hands back the error it throws, which must be exactly a `Wanted`; ends the test as failed
/// otherwise.
template <typename Wanted, typename Action>
Wanted expect_error(Action&& action) {
  try {
    action();
  } catch (const Wanted& error) {
    EXPECT_EQ(typeid(error), typeid(Wanted)) << error.what();
    return error;
  }
  throw std::logic_error("nothing was thrown where an error was expected");
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << part << "\" is not in \"" << text << "\"";
}

}  // namespace lightswitch::testing
