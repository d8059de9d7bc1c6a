#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace concur {

// The words of a command line on their way through CLI11, which gives some texts a meaning of its
// own: which ones, such as
// {} and [a] and %%, differs by its version. Encoded, every word reaches decode_word() byte for
// byte. `--name=` becomes two words, the second one empty, for CLI11 would take the next word as
// its value; from a `--` on nothing is split.
std::vector<std::string> encode_words(const std::vector<std::string>& words);

// A word, or a message that quotes words, as it was before.
std::string decode_words(std::string_view text);

}  // namespace concur
