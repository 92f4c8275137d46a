//! Where in a sorted list a share of it ends.

/// The value that this share of them doesn't exceed, of a list that is sorted and not empty.
pub fn at<T: Copy>(sorted: &[T], share: f64) -> T {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}
