#include "daemon/socket_file.hpp"

#include "net/listener.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace concur;
namespace fs = std::filesystem;

TEST_CASE("SocketFile") {
  const test::TempFolder folder;
  const std::string path = folder.file("s");
  const auto bind = [&path] {
    auto listener = listen_unix(path, 0600);
    REQUIRE(listener.has_value());
    return std::move(*listener);
  };
  Fd listener = bind();
  const SocketFile file(path);
  REQUIRE(file.state() == SocketFile::State::kThere);

  SUBCASE("is removed where it is there") {
    file.remove();
    CHECK(file.state() == SocketFile::State::kGone);
    CHECK_FALSE(fs::exists(path));
  }
  SUBCASE("is not what another bound there, even after it was closed") {
    for (int i = 0; i < 10; ++i) {
      fs::remove(path);
      listener.close();
      listener = bind();
      CHECK(file.state() == SocketFile::State::kOther);
      file.remove();
      CHECK(fs::exists(path));
    }
  }
  SUBCASE("is not what else stands there") {
    fs::rename(path, path + "-moved");
    CHECK(file.state() == SocketFile::State::kGone);
    fs::create_symlink(path + "-moved", path);
    CHECK(file.state() == SocketFile::State::kOther);
    fs::remove(path);
    std::ofstream(path) << "x";
    CHECK(file.state() == SocketFile::State::kOther);
    file.remove();
    CHECK(fs::exists(path));
    fs::rename(path + "-moved", path);
    CHECK(file.state() == SocketFile::State::kThere);
  }
}
