//! The tree of receipts as c2sp.org/tlog-tiles describe it: proofs made of fetched tiles alone, who gets them, and bad paths.

use anyhow::{Context as _, Result, ensure};
use client::{Addresses, Client};
use common::tile::Tile;
use ledger::core::chain::{Chain, Digest};
use ledger::core::merkle::{
    Place, TILE_HASHES, Tiles, inclusion, inclusion_places, leaf_hash, node_hash, root_by_inclusion,
};
use ledger::receipts::document::Receipt;
use ledger::receipts::note::{Checkpoint, PublicKey};
use local::{Service, Tls};
use reqwest::{Response, StatusCode};
use tokio::time::timeout;

use crate::bank::{PATIENCE, TestBank, payment};

/// A full tile of answers, and a few more.
const ANSWERS: u64 = 260;

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_proves_an_answer_with_tiles_alone() -> Result<()> {
    let test = TestBank::start_behind_gateway(Tls::Off).await?;
    let gateway = test.bank.gateway_url().context("a gateway")?;
    let client = Client::new(Addresses::behind(&gateway));
    grow(&test).await?;
    // Whoever may have a receipt may have its tree.
    let signed = signed(&test, &client, &test.ada).await?;
    ensure!(signed.size > ANSWERS, "{signed:?}");

    // The whole tree: the hashes of all answers lead to the root that was signed.
    let mut leaves = Vec::new();
    let mut number = 0;
    while leaves.len() < usize::try_from(signed.size)? {
        let place = Place { level: 0, number };
        leaves.extend(fetch(&test, &client, place, signed.size).await?);
        number += 1;
    }
    ensure!(root_of(&leaves) == signed.root, "{signed:?}");

    // One answer: from its receipt's leaf to the root by the hashes of a few tiles.
    for seq in [1, 256, 257, signed.size] {
        let index = seq - 1;
        let mut tiles = Tiles::new();
        for place in inclusion_places(index, signed.size) {
            tiles.insert(place, fetch(&test, &client, place, signed.size).await?);
        }
        let proof = inclusion(index, signed.size, &tiles).context("a tile is missing")?;
        let leaf = leaf(&test, seq).await?;
        let root = |leaf| root_by_inclusion(index, signed.size, leaf, &proof);
        ensure!(root(leaf) == Some(signed.root), "{seq}");
        ensure!(root(leaf_hash(b"another answer")) != Some(signed.root));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_is_kept_for_ever_goes_as_far_as_was_signed_and_has_one_name() -> Result<()> {
    let test = TestBank::start().await?;
    grow(&test).await?;
    let ledger = test.bank.url(Service::Ledger);
    let client = Client::new(Addresses {
        auth: test.bank.url(Service::Auth),
        ledger: ledger.clone(),
        payments: test.bank.url(Service::Payments),
    });
    let signed = signed(&test, &client, &test.staff).await?;
    let full = ask(&test, "tile/0/000", &test.ada).await?;
    ensure!(full.status() == StatusCode::OK, "{full:?}");
    let header = |name: &str| {
        full.headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    ensure!(header("content-type") == Some("application/octet-stream"));
    ensure!(header("cache-control") == Some("private, max-age=31536000, immutable"));
    let full = full.bytes().await?;
    ensure!(full.len() == 32 * TILE_HASHES, "{}", full.len());
    // As it was before it was full.
    let begun = ask(&test, "tile/0/000.p/8", &test.ada)
        .await?
        .bytes()
        .await?;
    ensure!(begun[..] == full[..32 * 8], "{}", begun.len());
    let note = ask(&test, "checkpoint", &test.ada).await?;
    let kind = note.headers()["content-type"].to_str()?.to_owned();
    ensure!(kind == "text/plain; charset=utf-8", "{kind}");
    ensure!(note.headers()["cache-control"] == "no-store");

    let width = signed.size % 256;
    for (path, token, status) in [
        (format!("tile/0/001.p/{width}"), &*test.ada, 200),
        ("tile/0/000.p%2F8".to_owned(), &*test.ada, 200),
        ("tile/1/000.p/1".to_owned(), &*test.staff, 200),
        ("tile/1/000.p/1".to_owned(), "x", 401),
        ("checkpoint".to_owned(), "x", 401),
        ("tile/1/000.p/2".to_owned(), &*test.ada, 404),
        ("tile/1/000".to_owned(), &*test.ada, 404),
        ("tile/2/000.p/1".to_owned(), &*test.ada, 404),
        ("tile/8/000.p/1".to_owned(), &*test.ada, 404),
        ("tile/63/000".to_owned(), &*test.ada, 404),
        ("tile/0/001".to_owned(), &*test.ada, 404),
        ("tile/0/002.p/1".to_owned(), &*test.ada, 404),
        (
            "tile/0/x018/x446/x744/x073/x709/x551/615".to_owned(),
            &*test.ada,
            404,
        ),
        ("tile/entries/000".to_owned(), &*test.staff, 404),
        ("tile/64/000".to_owned(), &*test.ada, 400),
        ("tile/00/000".to_owned(), &*test.ada, 400),
        ("tile/-1/000".to_owned(), &*test.ada, 400),
        ("tile/0/0".to_owned(), &*test.ada, 400),
        ("tile/0/x000/000".to_owned(), &*test.ada, 400),
        ("tile/0/000.p/0".to_owned(), &*test.ada, 400),
        ("tile/0/000.p/256".to_owned(), &*test.ada, 400),
        ("tile/0/000.p/08".to_owned(), &*test.ada, 400),
        ("tile/0/%00".to_owned(), &*test.ada, 400),
        ("tile/0/%ff".to_owned(), &*test.ada, 400),
        (
            "tile/0/x018/x446/x744/x073/x709/x551/616".to_owned(),
            &*test.ada,
            400,
        ),
    ] {
        let answer = ask(&test, &path, token).await?;
        let (found, kind) = (answer.status(), answer.headers()["content-type"].clone());
        ensure!(found == status, "{path}: {found} {}", answer.text().await?);
        ensure!(
            status == 200 || kind == "application/problem+json",
            "{path}: {kind:?}"
        );
    }
    only_what_was_signed(&test, &client).await
}

/// An answer that is in the tree, but not yet below a signed root, is in no tile.
async fn only_what_was_signed(test: &TestBank, client: &Client) -> Result<()> {
    loop {
        let before = signed(test, client, &test.ada).await?;
        let path = format!("/checkpoint/consistency?from=1&to={}", before.size + 1);
        let (_, paid) = test
            .pay(&test.ada, payment(test.adas, test.graces, "0.01"), Some(20))
            .await?;
        ensure!(paid["status"] == "settled", "{paid}");
        let grown = async {
            while test.get(Service::Ledger, &path, &test.ada).await?.0 != 200 {}
            anyhow::Ok(())
        };
        timeout(PATIENCE, grown)
            .await
            .context("it does not grow")??;
        let wider = tile(
            Place {
                level: 0,
                number: before.size / 256,
            },
            before.size + 1,
        );
        let found = client.tile(&test.ada, wider).await?;
        let newest = client.tree_checkpoint(&test.ada).await?;
        // Each minute it is signed by itself: then once more.
        if newest.is_some_and(|note| note.contains(&format!("\n{}\n", before.size))) {
            ensure!(found.is_none(), "{wider}");
            let now = signed(test, client, &test.ada).await?;
            ensure!(now.size > before.size, "{now:?}");
            ensure!(client.tile(&test.ada, wider).await?.is_some(), "{wider}");
            return Ok(());
        }
    }
}

/// Payments until the tree has a full tile.
async fn grow(test: &TestBank) -> Result<()> {
    let shop = test.producer().await?;
    let mut last = 0;
    for _ in 0..ANSWERS {
        let paid = payment(test.adas, test.graces, "0.01");
        let headers = test.headers(&paid);
        last = test.publish(&shop, headers, paid.to_string()).await?;
    }
    test.answer(last).await.map(drop)
}

/// The newest checkpoint of all that is decided, opened with the bank's key.
async fn signed(test: &TestBank, client: &Client, token: &str) -> Result<Checkpoint> {
    let (status, body) = test
        .get(Service::Ledger, "/checkpoint?fresh=true", &test.staff)
        .await?;
    ensure!(status == 200, "{status} {body}");
    let key: PublicKey = body["tree"]["key"].as_str().context("a key")?.parse()?;
    let note = client.tree_checkpoint(token).await?;
    Ok(key.open(&note.context("nothing is signed")?)?)
}

/// The tile's name in a tree of this size.
fn tile(place: Place, size: u64) -> Tile {
    Tile {
        level: place.level,
        number: place.number,
        width: place.hashes(size),
    }
}

async fn fetch(test: &TestBank, client: &Client, place: Place, size: u64) -> Result<Vec<Digest>> {
    let tile = tile(place, size);
    let bytes = client.tile(&test.ada, tile).await?;
    let bytes = bytes.with_context(|| format!("no tile {tile}"))?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    ensure!(
        hashes.len() == place.hashes(size) && rest.is_empty(),
        "{tile}"
    );
    Ok(hashes.to_vec())
}

async fn ask(test: &TestBank, path: &str, token: &str) -> Result<Response> {
    let url = format!("{}/tree/{path}", test.bank.url(Service::Ledger));
    Ok(test.http.get(url).bearer_auth(token).send().await?)
}

/// The leaf of an answer, hashed out of what its receipt says.
async fn leaf(test: &TestBank, seq: u64) -> Result<Digest> {
    let path = format!("/transactions/{seq}/receipt");
    let (status, body) = test.get(Service::Ledger, &path, &test.staff).await?;
    ensure!(status == 200, "{status} {body}");
    let leaf = Receipt::read(body.to_string().as_bytes())?.leaf;
    let bytes = |hex: &str| Chain::from_hex(hex).map(|chain| chain.0).context("a hash");
    let parts = [
        &bytes(&leaf.chain_before)?[..],
        &leaf.request_seq.to_be_bytes(),
        &leaf.published_at.timestamp_micros().to_be_bytes(),
        &bytes(&leaf.request_sha256)?,
        &bytes(&leaf.answer_sha256)?,
        &bytes(&leaf.shared_sha256)?,
    ];
    Ok(leaf_hash(&parts.concat()))
}

/// The root over these leaves, word for word as RFC 6962 defines it in section 2.1.
fn root_of(leaves: &[Digest]) -> Digest {
    match leaves {
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}
