#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace concur {

// A function to be called later, moved and never copied. What it holds lies within it where it fits
// into `Room` bytes: a request passes through several of these, and std::function would take memory
// for each, for it keeps in place only what is trivial and has at most 16 bytes.
template <class Signature, std::size_t Room = 24>
class Callback;

template <class... Args, std::size_t Room>
class Callback<void(Args...), Room> {
 public:
  // Whether it has room for such a one, so that keeping it allocates nothing.
  template <class Function>
  static constexpr bool keeps_in_place() {
    return sizeof(Function) <= Room && alignof(Function) <= alignof(void*) &&
           std::is_nothrow_move_constructible_v<Function>;
  }

  // Nothing, which must not be called.
  Callback() = default;

  template <class Function>
  requires(!std::same_as<Function, Callback> && std::invocable<Function&, Args...>)
      Callback(Function function) {
    if constexpr (keeps_in_place<Function>()) {
      keep(std::move(function));
    } else {
      keep([kept = std::make_unique<Function>(std::move(function))](Args... args) {
        std::invoke(*kept, std::forward<Args>(args)...);
      });
    }
  }

  Callback(Callback&& other) noexcept { take(other); }
  Callback& operator=(Callback&& other) noexcept {
    if (this != &other) {
      drop();
      take(other);
    }
    return *this;
  }
  ~Callback() { drop(); }

  explicit operator bool() const { return ways_ != nullptr; }
  void operator()(Args... args) const {
    assert(ways_ != nullptr);
    ways_->call(room_, std::forward<Args>(args)...);
  }

 private:
  struct Ways {
    void (*call)(void* kept, Args&&... args);
    void (*move)(void* from, void* to);  // and destroys what is left
    void (*destroy)(void* kept);
  };

  template <class Kept>
  static constexpr Ways kWays{[](void* kept, Args&&... args) {
                                std::invoke(*static_cast<Kept*>(kept), std::forward<Args>(args)...);
                              },
                              [](void* from, void* to) {
                                ::new (to) Kept(std::move(*static_cast<Kept*>(from)));
                                static_cast<Kept*>(from)->~Kept();
                              },
                              [](void* kept) { static_cast<Kept*>(kept)->~Kept(); }};

  template <class Kept>
  void keep(Kept&& kept) {
    static_assert(keeps_in_place<Kept>());
    ::new (room_) Kept(std::forward<Kept>(kept));
    ways_ = &kWays<Kept>;
  }
  void take(Callback& other) {
    ways_ = std::exchange(other.ways_, nullptr);
    if (ways_ != nullptr) ways_->move(other.room_, room_);
  }
  void drop() {
    if (ways_ != nullptr) ways_->destroy(room_);
  }

  alignas(void*) mutable std::byte room_[Room];
  const Ways* ways_ = nullptr;
};

}  // namespace concur
