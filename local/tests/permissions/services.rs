//! Our own services: what each may write, and what all may read. No login without the right password.

use async_nats::ConnectOptions;
use async_nats::jetstream::consumer::pull;
use futures::StreamExt as _;
use local::testing;

use crate::batches;
use crate::user::{User, ledger_with_streams};

#[tokio::test]
async fn only_the_ledger_may_answer_or_touch_a_stream() {
    let servers = testing::servers().await;
    let _ledger = ledger_with_streams(&servers).await;
    for name in ["auth", "payments", "audit"] {
        let mut user = User::connect(&servers, name).await;
        for subject in [
            "settlement.payment.v1.demo-shop",
            "request.account.v1.bank",
            "request.rules.v1.ledger",
            "request.expiry.v1.ledger",
            "request.chart.v1.ledger",
            "request.payment.v1.shop.more",
            "request.hold.v1.shop.more",
            "$JS.quittance.API.STREAM.CREATE.REQUESTS",
            "$JS.quittance.API.STREAM.UPDATE.SETTLEMENTS",
            "$JS.quittance.API.STREAM.DELETE.SETTLEMENTS",
            "$JS.API.STREAM.CREATE.REQUESTS",
            "$JS.API.STREAM.UPDATE.SETTLEMENTS",
            "$JS.API.STREAM.DELETE.REQUESTS",
            "$JS.API.STREAM.PURGE.SETTLEMENTS",
            "$JS.API.STREAM.MSG.DELETE.SETTLEMENTS",
            "$SYS.REQ.SERVER.PING.JSZ",
        ] {
            user.may_not_publish(subject).await;
        }
        user.may_not_subscribe("_INBOX_ledger.>").await;
        user.may_not_subscribe("settlement.>").await;
    }
    let mut ledger = User::connect(&servers, "ledger").await;
    for subject in [
        "$JS.API.STREAM.DELETE.SETTLEMENTS",
        "$JS.API.STREAM.PURGE.SETTLEMENTS",
        "$JS.quittance.API.STREAM.DELETE.REQUESTS",
        "$JS.quittance.API.STREAM.PURGE.REQUESTS",
        "request.payment.v1.demo-shop",
        "request.account.v1.bank.more",
        "request.rules.v1.other",
        "request.expiry.v1.other",
        "request.chart.v1.other",
        "request.hold.v1.demo-shop",
        "request.reversal.v1.demo-shop",
        "request.auth.v1.keys",
        "$SYS.REQ.SERVER.PING.VARZ",
        "$SYS.REQ.SERVER.PING.CONNZ",
        "$SYS.REQ.ACCOUNT.CORE.CONNZ",
    ] {
        ledger.may_not_publish(subject).await;
    }
}

#[tokio::test]
async fn services_publish_atomic_batches() {
    let servers = testing::servers().await;
    let ledger = ledger_with_streams(&servers).await;
    let ack = batches::publish(
        &ledger.client,
        "settlement.payment.v1.demo-shop",
        "answers",
        1000,
    )
    .await;
    assert!(
        ack.contains("\"seq\":1000") && ack.contains("\"count\":1000"),
        "{ack}"
    );
    let payments = User::connect(&servers, "payments").await;
    let ack = batches::publish(&payments.client, "request.payment.v1.user-1", "requests", 5).await;
    assert!(ack.contains("\"seq\":5"), "{ack}");
    for (seq, kind) in (6..).zip(["hold", "capture", "void", "reversal", "transaction"]) {
        let subject = format!("request.{kind}.v1.user-1");
        let ack = batches::publish(&payments.client, &subject, kind, 1).await;
        assert!(ack.contains(&format!("\"seq\":{seq}")), "{kind}: {ack}");
    }
}

#[tokio::test]
async fn readers_follow_both_streams_in_order() {
    let servers = testing::servers().await;
    let ledger = ledger_with_streams(&servers).await;
    batches::publish(
        &ledger.client,
        "settlement.payment.v1.demo-shop",
        "answers",
        3,
    )
    .await;
    batches::publish(&ledger.client, "request.account.v1.bank", "requests", 3).await;
    for (name, stream) in [
        ("ledger-reader", "REQUESTS"),
        ("payments-reader", "REQUESTS"),
        ("audit", "REQUESTS"),
        ("ledger", "SETTLEMENTS"),
        ("payments", "SETTLEMENTS"),
    ] {
        let mut user = User::connect(&servers, name).await;
        let stream = user.jetstream().get_stream_no_info(stream).await.unwrap();
        let config = pull::OrderedConfig {
            name: Some(format!("{name}:1")),
            ..Default::default()
        };
        let consumer = stream
            .create_consumer(config)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}: {:?}", user.refusals.try_recv()));
        let messages = consumer.messages().await.unwrap().take(3);
        let sequences = messages.map(|message| message.unwrap().info().unwrap().stream_sequence);
        assert_eq!(sequences.collect::<Vec<_>>().await, [1, 2, 3]);
        assert_eq!(stream.get_raw_message(2).await.unwrap().sequence, 2);
        assert!(user.refusals.try_recv().is_err(), "{name}");
    }
    for name in ["ledger", "payments", "auth", "audit"] {
        let user = User::connect(&servers, name).await;
        for stream in ["REQUESTS", "SETTLEMENTS"] {
            let stream = user.jetstream().get_stream(stream).await.unwrap();
            assert_eq!(stream.direct_get(2).await.unwrap().sequence, 2);
            assert_eq!(stream.get_raw_message(2).await.unwrap().sequence, 2);
        }
    }
}

#[tokio::test]
async fn the_auditor_reaches_no_consumer_of_a_producer() {
    let servers = testing::servers().await;
    let _ledger = ledger_with_streams(&servers).await;
    let mut audit = User::connect(&servers, "audit").await;
    for call in [
        "CREATE",
        "DURABLE.CREATE",
        "INFO",
        "DELETE",
        "MSG.NEXT",
        "PAUSE",
        "UNPIN",
    ] {
        for prefix in ["$JS.quittance.API", "$JS.API"] {
            let subject = format!("{prefix}.CONSUMER.{call}.SETTLEMENTS.demo-shop");
            audit.may_not_publish(&subject).await;
        }
    }
    for subject in [
        "$JS.quittance.API.CONSUMER.CREATE.SETTLEMENTS.demo-shop.settlement.>",
        "$JS.quittance.API.CONSUMER.NAMES.SETTLEMENTS",
        "$JS.quittance.API.CONSUMER.LIST.REQUESTS",
        "$JS.quittance.API.CONSUMER.DELETE.REQUESTS.x",
        "$JS.ACK.SETTLEMENTS.demo-shop.1.1.1.1.1",
    ] {
        audit.may_not_publish(subject).await;
    }
}

#[tokio::test]
async fn payments_reaches_no_consumer_of_a_producer() {
    let servers = testing::servers().await;
    let ledger = ledger_with_streams(&servers).await;
    let auth = User::connect(&servers, "auth").await;
    let settlements = auth.jetstream().get_stream("SETTLEMENTS").await.unwrap();
    let config = pull::Config {
        durable_name: Some("demo-shop".to_owned()),
        filter_subject: "settlement.*.v1.demo-shop".to_owned(),
        ..Default::default()
    };
    let mut made = settlements.create_consumer(config).await.unwrap();
    let subject = "settlement.payment.v1.demo-shop";
    batches::publish(&ledger.client, subject, "answers", 3).await;

    let mut payments = User::connect(&servers, "payments").await;
    for call in [
        "CREATE",
        "DURABLE.CREATE",
        "INFO",
        "DELETE",
        "MSG.NEXT",
        "PAUSE",
        "UNPIN",
        "RESET",
    ] {
        for prefix in ["$JS.quittance.API", "$JS.API"] {
            let subject = format!("{prefix}.CONSUMER.{call}.SETTLEMENTS.demo-shop");
            payments.may_not_publish(&subject).await;
        }
    }
    for subject in [
        "$JS.quittance.API.CONSUMER.CREATE.SETTLEMENTS",
        "$JS.quittance.API.CONSUMER.CREATE.SETTLEMENTS.demo-shop.settlement.>",
        "$JS.quittance.API.CONSUMER.CREATE.SETTLEMENTS.payments:1.settlement.>",
        "$JS.quittance.API.CONSUMER.CREATE.SETTLEMENTS.payments:33",
        "$JS.quittance.API.CONSUMER.MSG.NEXT.SETTLEMENTS.payments:33",
        "$JS.quittance.API.CONSUMER.DELETE.SETTLEMENTS.payments:1",
        "$JS.quittance.API.CONSUMER.NAMES.SETTLEMENTS",
        "$JS.quittance.API.CONSUMER.LIST.SETTLEMENTS",
        "$JS.ACK.SETTLEMENTS.demo-shop.1.1.1.1.1",
    ] {
        payments.may_not_publish(subject).await;
    }
    // Nor by a body that names another consumer than the subject does.
    for field in ["name", "durable_name"] {
        for action in ["create", "update", ""] {
            let config = serde_json::json!({
                "stream_name": "SETTLEMENTS",
                "action": action,
                "config": {field: "demo-shop", "ack_policy": "none", "filter_subject": "settlement.>"},
            });
            let subject = "$JS.quittance.API.CONSUMER.CREATE.SETTLEMENTS.payments:1";
            let answer = payments.client.request(subject, config.to_string().into());
            let answer: serde_json::Value =
                serde_json::from_slice(&answer.await.unwrap().payload).unwrap();
            assert_ne!(answer["name"], "demo-shop", "{field} {action}");
        }
    }
    let before = made.cached_info().config.clone();
    let info = made.info().await.unwrap();
    assert_eq!(info.config, before);
    assert_eq!((info.num_pending, info.num_ack_pending), (3, 0));
}

#[tokio::test]
async fn nobody_enters_without_the_right_password() {
    let servers = testing::servers().await;
    assert!(async_nats::connect(servers.nats_url()).await.is_err());
    for user in ["ledger", "demo-shop", "stranger"] {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), "wrong".to_owned());
        assert!(options.connect(servers.nats_url()).await.is_err(), "{user}");
    }
}

#[tokio::test]
async fn who_says_where_it_is_says_so_under_its_own_name_and_does_nothing_else() {
    let servers = testing::servers().await;
    let _ledger = ledger_with_streams(&servers).await;
    for name in ["auth", "ledger", "payments", "console"] {
        let mut user = User::connect(&servers, &format!("{name}-discovery")).await;
        for other in ["auth", "ledger", "payments", "console"] {
            if other != name {
                user.may_not_subscribe(&format!("$SRV.PING.{other}")).await;
                user.may_not_subscribe(&format!("discovery.{other}.health"))
                    .await;
            }
        }
        user.may_not_subscribe("_INBOX_audit-discovery.>").await;
        for subject in [
            "request.account.v1.bank",
            "settlement.payment.v1.demo-shop",
            "$JS.API.STREAM.INFO.REQUESTS",
            "discovery.ledger.health",
        ] {
            user.may_not_publish(subject).await;
        }
        if name != "console" {
            user.may_not_publish("$SRV.PING").await;
        }
    }
    // Nobody else reaches that account.
    for name in ["demo-shop", "ledger", "payments", "audit"] {
        let mut user = User::connect(&servers, name).await;
        user.may_not_publish("$SRV.PING").await;
        user.may_not_subscribe("$SRV.PING").await;
    }
}

#[tokio::test]
async fn a_service_publishes_lines_under_its_own_name_and_auth_alone_reads_them() {
    let servers = testing::servers().await;
    let services = ["auth", "ledger", "payments", "console"];
    for name in services {
        let mut user = User::connect(&servers, &format!("{name}-logs")).await;
        for other in services.into_iter().filter(|other| *other != name) {
            user.may_not_publish(&format!("log.{other}")).await;
        }
        for subject in [
            "$JS.API.STREAM.DELETE.LOGS",
            "$JS.API.STREAM.PURGE.LOGS",
            "$JS.API.STREAM.MSG.DELETE.LOGS",
            "$JS.API.CONSUMER.CREATE.LOGS",
            "$JS.API.STREAM.CREATE.OTHER",
            "request.account.v1.bank",
        ] {
            user.may_not_publish(subject).await;
        }
        if name != "auth" {
            user.may_not_publish("$JS.API.DIRECT.GET.LOGS").await;
            user.may_not_publish("$JS.API.STREAM.CREATE.LOGS").await;
            user.may_not_publish("$JS.API.STREAM.UPDATE.LOGS").await;
        }
        user.may_not_subscribe("log.>").await;
    }
    // Nobody else reaches that account.
    for name in [
        "demo-shop",
        "ledger",
        "payments",
        "audit",
        "ledger-discovery",
    ] {
        let mut user = User::connect(&servers, name).await;
        user.may_not_publish("log.ledger").await;
        user.may_not_publish("$JS.API.DIRECT.GET.LOGS").await;
    }
}

#[tokio::test]
async fn a_second_login_reads_requests_and_does_nothing_else() {
    let servers = testing::servers().await;
    let _ledger = ledger_with_streams(&servers).await;
    for name in ["ledger-reader", "payments-reader"] {
        let mut reader = User::connect(&servers, name).await;
        for subject in [
            "request.payment.v1.demo-shop",
            "request.account.v1.bank",
            "request.auth.v1.keys",
            "$JS.API.STREAM.INFO.REQUESTS",
            "$JS.API.STREAM.UPDATE.REQUESTS",
            "$JS.API.STREAM.DELETE.REQUESTS",
            "$JS.API.STREAM.PURGE.REQUESTS",
            "$JS.API.STREAM.MSG.DELETE.REQUESTS",
            "$JS.API.CONSUMER.DELETE.REQUESTS.x",
            "$JS.API.STREAM.CREATE.OTHER",
        ] {
            reader.may_not_publish(subject).await;
        }
        for subject in ["request.>", "$JS.ACK.>", "_INBOX_other.>"] {
            reader.may_not_subscribe(subject).await;
        }
    }
}
