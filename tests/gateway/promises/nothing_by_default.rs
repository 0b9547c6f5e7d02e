//! Nothing by default: what no policy permits is refused, on every way in and on every way of failing.
