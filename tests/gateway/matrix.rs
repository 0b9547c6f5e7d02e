//! The published permission matrix, cell by cell.
