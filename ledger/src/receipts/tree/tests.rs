//! The tree, handed over, read, and moved by another ledger, is always that of all answers, in a real PostgreSQL.

use chrono::{DateTime, TimeDelta};
use common::headers::Headers;
use common::message::Stored;
use common::token::CheckedTokens;
use sqlx::postgres::PgConnection;

use super::*;
use crate::core::batch;
use crate::core::book::Book;
use crate::core::chain::Cursor;
use crate::engine::crash::CrashAt;

/// A bank whose requests are all garbage, each with an answer.
struct Bank {
    book: Book,
    cursor: Cursor,
    written: PgConnection,
    /// The tree as it must be.
    expected: Edge,
    chain: Chain,
}

impl Bank {
    async fn book(&mut self, requests: u64) -> Arc<Batch> {
        let first = self.cursor.seq + 1;
        let messages: Vec<Stored> = (first..first + requests).map(garbage).collect();
        let verified = batch::verify_all(&messages, &self.book, &mut CheckedTokens::default());
        let decided = batch::decide_all(
            &mut self.book,
            self.cursor.chain,
            verified.unwrap_or_else(|_| panic!("newer rules")),
        );
        for one in &decided {
            let at = one.request.at;
            let digest = one.request.digest;
            let leaf = Leaf::of(self.chain, at.seq, at.published_at, digest, &one.body);
            self.chain = leaf.chain();
            self.expected.push(leaf.hash(), &mut Tiles::new());
        }
        let batch = Arc::new(Batch::new(self.cursor, decided));
        let (never, prepared) = (CrashAt::default(), store::Prepared::of(batch.clone()));
        let written = store::write_batch(&mut self.written, prepared, &never).await;
        assert!(written.unwrap());
        self.cursor = batch.to;
        batch
    }
}

fn garbage(sequence: u64) -> Stored {
    let seconds = i64::try_from(sequence).unwrap();
    Stored {
        sequence,
        published_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds),
        subject: "request.payment.v1.shop".to_owned(),
        headers: Headers::default(),
        unreadable_headers: None,
        payload: bytes::Bytes::from(format!("garbage {sequence}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_it_grows_the_tree_is_that_of_all_answers() {
    let servers = local::testing::servers().await;
    let pool = store::testing::tables(&servers).await;
    let key = || SigningKey::new("test", &[7; 32]);
    let (leader, other) = (
        Tree::new(pool.clone(), key()),
        Tree::new(pool.clone(), key()),
    );
    let mut bank = Bank {
        book: Book::default(),
        cursor: Cursor {
            seq: 0,
            chain: Chain::START,
        },
        written: pool.acquire().await.unwrap().detach(),
        expected: Edge::default(),
        chain: Chain::START,
    };

    // Read from the database, because nobody has looked yet.
    let early = bank.book(300).await;
    leader.add(&early).await;
    assert!(matches!(leader.grow().await.unwrap(), Growth::Read(300)));
    // Handed over, twice, and once more when they are long written.
    for requests in [1, 255, 700] {
        let batch = bank.book(requests).await;
        leader.add(&batch).await;
        leader.add(&batch).await;
    }
    leader.add(&early).await;
    assert!(matches!(leader.grow().await.unwrap(), Growth::HandedOver));
    assert_is(&bank, &pool).await;
    // What is handed over behind a gap waits until the gap has been read.
    bank.book(20).await;
    let behind = bank.book(30).await;
    leader.add(&behind).await;
    assert!(matches!(leader.grow().await.unwrap(), Growth::Read(50)));
    leader.add(&behind).await;
    assert_is(&bank, &pool).await;
    // A reading that ended within a batch.
    bank.book(2000).await;
    let split = bank.book(900).await;
    assert!(matches!(
        leader.grow().await.unwrap(),
        Growth::Read(LEAVES_MAX)
    ));
    leader.add(&split).await;
    assert!(matches!(leader.grow().await.unwrap(), Growth::HandedOver));
    assert_is(&bank, &pool).await;
    // Another ledger was faster, and what was handed over is forgotten.
    let batch = bank.book(400).await;
    leader.add(&batch).await;
    assert!(matches!(other.grow().await.unwrap(), Growth::Read(400)));
    leader.grow().await.unwrap();
    let batch = bank.book(5).await;
    leader.add(&batch).await;
    assert!(matches!(leader.grow().await.unwrap(), Growth::Read(5)));
    assert_is(&bank, &pool).await;
    // Whoever has a signed root can ask for all that is below it, though nothing had been written.
    let batch = bank.book(600).await;
    leader.add(&batch).await;
    let signed = leader.sign().await.unwrap();
    assert_eq!(
        (signed.size, signed.root),
        (bank.cursor.seq, bank.expected.root())
    );
    assert_is(&bank, &pool).await;
    let batch = bank.book(600).await;
    leader.add(&batch).await;
    other.checkpoint_over(bank.cursor.seq).await.unwrap();
    let signed = leader.sign().await.unwrap();
    assert_eq!(
        (signed.size, signed.root),
        (bank.cursor.seq, bank.expected.root())
    );
    assert_is(&bank, &pool).await;
}

/// The tree in the database is that of all answers.
async fn assert_is(bank: &Bank, pool: &PgPool) {
    let size = store::tree_size(pool).await.unwrap();
    assert_eq!(size, bank.cursor.seq);
    let tiles = store::tiles(pool, Edge::places(size)).await.unwrap();
    let edge = Edge::of(size, &tiles).expect("an edge");
    assert_eq!(edge.root(), bank.expected.root());
    // Each full tile is there too.
    let some = [0, 255, 256, size / 2, size - 1];
    for index in some.into_iter().filter(|index| *index < size) {
        let places = merkle::inclusion_places(index, size);
        let tiles = store::tiles(pool, places).await.unwrap();
        assert!(merkle::inclusion(index, size, &tiles).is_some(), "{index}");
    }
}
