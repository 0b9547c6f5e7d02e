//! Questions to an endpoint that answers what a test tells it to.
