// Plays a target's corpus, and seeded mutations of it, where there is no libFuzzer.
//   TARGET [--mutations N] FILE-OR-FOLDER…
// The input that ends the program is in ./crash-<target> then, ready to be played again.
#include "support/fuzz_target.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> read_all(const std::vector<std::string>& names) {
  std::vector<fs::path> paths;
  for (const std::string& name : names) {
    if (!fs::is_directory(name))
      paths.emplace_back(name);
    else
      paths.insert(paths.end(), fs::directory_iterator(name), {});
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> all;
  for (const fs::path& path : paths) all.push_back(read_file(path));
  return all;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string next() {
    std::string text = corpus_[below(corpus_.size())];
    for (std::size_t count = 1 + below(4); count > 0; --count) mutate(text);
    return text;
  }

 private:
  std::size_t below(std::size_t end) { return end == 0 ? 0 : random_() % end; }

  void mutate(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    switch (below(5)) {
      case 0:
        text.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 1:
        text.erase(at, 1 + below(8));
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      default: {
        const std::string& other = corpus_[below(corpus_.size())];
        const std::size_t from = below(other.size() + 1);
        text.insert(at, other, from, below(64));
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_{1};  // the same in each run
};

// What is being played, for the handler of the signal that ends the program.
std::string kept;
std::string played;

void keep_input(int signal) {
  const int file = open(kept.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (write(file, played.data(), played.size()) < 0) _exit(1);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void play(std::string input) {
  played = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(played.data()), played.size());
}

}  // namespace

int main(int arguments_size, char** arguments) {
  std::vector<std::string> names(arguments + 1, arguments + arguments_size);
  std::size_t mutations = 0;
  if (names.size() > 1 && names[0] == "--mutations") {
    mutations = std::stoul(names[1]);
    names.erase(names.begin(), names.begin() + 2);
  }
  kept = "crash-" + fs::path(arguments[0]).filename().string();
  const auto corpus = read_all(names);
  if (corpus.empty()) {
    std::fprintf(stderr, "cannot play: there is no input\n");
    return 2;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(signal, keep_input);
  for (const std::string& input : corpus) play(input);
  Mutator mutator(corpus);
  for (std::size_t count = 0; count < mutations; ++count) play(mutator.next());
  std::printf("played %zu inputs and %zu mutations of them\n", corpus.size(), mutations);
}
