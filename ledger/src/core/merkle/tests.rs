//! The tree against the vectors of the field, against the definition of RFC 6962, and against changed proofs.

use proptest::prelude::*;

use super::*;

/// The leaves of Certificate Transparency's reference tests, and the roots of the trees of the first 1 to 8 of them.
/// Source: `merkletree` in google/certificate-transparency, `testdata` in transparency-dev/merkle.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn text(digest: Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// MTH of RFC 6962, as it is written there.
fn defined(leaves: &[Vec<u8>]) -> Digest {
    match leaves {
        [] => sha256(b""),
        [one] => leaf_hash(one),
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&defined(&leaves[..k]), &defined(&leaves[k..]))
        }
    }
}

fn leaves(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|leaf| leaf.to_be_bytes().to_vec()).collect()
}

/// All tiles of a tree, and its edge.
fn grown(leaves: &[Vec<u8>]) -> (Edge, Tiles) {
    let (mut edge, mut tiles) = (Edge::default(), Tiles::new());
    for leaf in leaves {
        edge.push(leaf_hash(leaf), &mut tiles);
    }
    tiles.extend(edge.tiles());
    (edge, tiles)
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let mut edge = Edge::default();
    assert_eq!(
        text(edge.root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        edge.push(leaf_hash(&hex(leaf)), &mut Tiles::new());
        assert_eq!(text(edge.root()), root, "{} leaves", edge.size());
    }
}

#[test]
fn proofs_are_those_of_certificate_transparency() {
    let leaves: Vec<_> = LEAVES.iter().map(|leaf| hex(leaf)).collect();
    let (_, tiles) = grown(&leaves);
    let texts = |proof: Option<Vec<Digest>>| -> Vec<String> {
        proof.unwrap().into_iter().map(text).collect()
    };
    // PATH(5, D[8]) and PROOF(6, D[8]) of the same reference tests.
    assert_eq!(
        texts(inclusion(5, 8, &tiles)),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(
        texts(consistency(6, 8, &tiles)),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn small_trees_prove_every_leaf_and_every_beginning_and_nothing_else() {
    for size in 1..40 {
        let leaves = leaves(size);
        let (edge, tiles) = grown(&leaves);
        let root = edge.root();
        assert_eq!(root, defined(&leaves));
        for index in 0..size {
            let proof = inclusion(index, size, &tiles).unwrap();
            let leaf = |index: u64| leaf_hash(&index.to_be_bytes());
            let proven = root_by_inclusion(index, size, leaf(index), &proof);
            assert_eq!(proven, Some(root), "{index} of {size}");
            for other in (0..=size).filter(|other| *other != index) {
                let made = root_by_inclusion(other, size, leaf(index), &proof);
                assert_ne!(made, Some(root), "{index} as {other} of {size}");
            }
        }
        for old in 1..=size {
            let proof = consistency(old, size, &tiles).unwrap();
            let old_root = defined(&leaves[..usize::try_from(old).unwrap()]);
            assert!(is_consistent((old, old_root), (size, root), &proof));
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at][0] ^= 1;
                assert!(!is_consistent((old, old_root), (size, root), &changed));
            }
            let mut longer = proof.clone();
            longer.push(root);
            assert!(!is_consistent((old, old_root), (size, root), &longer));
            let other = sha256(b"another");
            assert!(!is_consistent((old, other), (size, root), &proof));
            assert!(!is_consistent((old, old_root), (size, other), &proof));
        }
    }
}

#[test]
fn a_large_tree_needs_few_tiles() {
    let leaves = leaves(70_000);
    let (edge, tiles) = grown(&leaves);
    assert_eq!(edge.root(), defined(&leaves));
    let places = inclusion_places(12_345, 70_000);
    assert!(places.len() < 8, "{places:?}");
    let few: Tiles = places
        .iter()
        .map(|place| (*place, tiles[place].clone()))
        .collect();
    let proof = inclusion(12_345, 70_000, &few).unwrap();
    let leaf = leaf_hash(&12_345_u64.to_be_bytes());
    let root = root_by_inclusion(12_345, 70_000, leaf, &proof);
    assert_eq!(root, Some(edge.root()));
    assert_eq!(inclusion(12_345, 70_000, &Tiles::new()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_goes_on_from_its_edge(size in 1_u64..2000, old in 1_u64..2000, index in 0_u64..2000) {
        let (old, index) = (old.min(size), index % size);
        let leaves = leaves(size);
        let count = usize::try_from(old).unwrap();
        let (before, mut tiles) = grown(&leaves[..count]);
        let again = Edge::of(old, &tiles);
        prop_assert_eq!(again.as_ref(), Some(&before));
        let mut edge = again.unwrap();
        for leaf in &leaves[count..] {
            edge.push(leaf_hash(leaf), &mut tiles);
        }
        tiles.extend(edge.tiles());
        prop_assert_eq!(&(edge.clone(), tiles.clone()), &grown(&leaves));
        let root = edge.root();
        prop_assert_eq!(root, defined(&leaves));
        let proof = consistency(old, size, &tiles).unwrap();
        prop_assert!(is_consistent((old, before.root()), (size, root), &proof));
        let proof = inclusion(index, size, &tiles).unwrap();
        let leaf = leaf_hash(&index.to_be_bytes());
        prop_assert_eq!(root_by_inclusion(index, size, leaf, &proof), Some(root));
    }
}
