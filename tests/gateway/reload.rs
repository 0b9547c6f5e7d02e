//! A policy changes while requests are served.
