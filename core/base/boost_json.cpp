// The one place where Boost's JSON is compiled.
#include <boost/json/src.hpp>
