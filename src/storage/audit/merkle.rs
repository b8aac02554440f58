//! The root of a Merkle tree, as in RFC 6962, 2.1: leaves and nodes are told apart, and a tree of
//! an odd number is split at the largest power of two.

use super::journal::frame::Hash;
use sha2::{Digest, Sha256};

/// Of leaves in their order.
pub fn root<'a>(leaves: impl Iterator<Item = &'a [u8]>) -> Hash {
    let hashes: Vec<Hash> = leaves.map(|leaf| hash(&[&[0], leaf])).collect();
    of_hashes(&hashes)
}

fn of_hashes(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        several => {
            let half = several.len().next_power_of_two() / 2;
            let (left, right) = several.split_at(half);
            hash(&[&[1], &of_hashes(left), &of_hashes(right)])
        }
    }
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The vectors of the reference implementation of Certificate Transparency.
    #[test]
    fn roots_are_those_of_rfc_6962() {
        let leaves: [&[u8]; 4] = [b"", b"\x00", b"\x10", b"\x20\x21"];
        let of = |count: usize| hex(root(leaves[..count].iter().copied()));
        assert_eq!(of(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(of(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(of(2), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(of(3), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
        assert_eq!(of(4), "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    }
}
