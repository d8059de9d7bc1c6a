#pragma once

#include <cstddef>
#include <cstdint>

// One input, held against what the target claims; ends the program where a claim does not hold.
// libFuzzer's name for it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
