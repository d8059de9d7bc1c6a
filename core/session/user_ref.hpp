#pragma once

#include "session/table.hpp"

#include <utility>

namespace concur {

// Keeps a user in the table for as long as it lives, though nothing else does. Moves, and is never
// copied unseen. The table must outlive it and stay where it is.
class UserRef {
 public:
  UserRef() = default;
  UserRef(UserRef&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), slot_(std::exchange(other.slot_, kNoSlot)) {}
  UserRef& operator=(UserRef&& other) noexcept {
    UserRef taken(std::move(other));
    std::swap(table_, taken.table_);
    std::swap(slot_, taken.slot_);
    return *this;
  }
  ~UserRef() {
    if (table_ != nullptr) table_->let_go(slot_);
  }

  // Another one of the same user.
  UserRef another() const { return table_ == nullptr ? UserRef() : table_->keep(slot_); }

  // kNoSlot where it refers to nobody.
  Slot slot() const { return slot_; }

 private:
  friend class Table;
  UserRef(Table& table, Slot slot) : table_(&table), slot_(slot) { ++table.users_[slot].held; }

  Table* table_ = nullptr;
  Slot slot_ = kNoSlot;
};

inline UserRef Table::keep(Slot user) { return UserRef(*this, user); }
inline UserRef Table::keep(std::string_view name) { return keep(find_or_add_user(name)); }

}  // namespace concur
