//! Hostile archives, straight into what writes local files: whatever they say, nothing outside the destination changes.

#[cfg(test)]
mod cases;
