#pragma once

#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include <string>

namespace lightswitch::testing {

/// Runs `action` and hands back the error it throws, which must be exactly a `Wanted`; fails the test otherwise.
template <typename Wanted, typename Action>
Wanted expect_error(Action&& action) {
  try {
    action();
  } catch (const Wanted& error) {
    EXPECT_EQ(typeid(error), typeid(Wanted)) << error.what();
    return error;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception came: " << error.what();
    return Wanted("another exception");
  }
  ADD_FAILURE() << "nothing was thrown";
  return Wanted("nothing");
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << part << "\" is not in \"" << text << "\"";
}

}  // namespace lightswitch::testing
