//! Tests of the generator of datagrams.

use std::collections::BTreeMap;

use super::*;

fn texts(events: UserEvents, count: usize) -> Vec<String> {
    events.take(count).map(|datagram| String::from_utf8_lossy(&datagram).into_owned()).collect()
}

#[test]
fn the_same_seed_gives_the_same_stream() {
    insta::assert_snapshot!(texts(UserEvents::new(3), 12).join("\n"), @r"
    /qseow-proxy-session/;sense2;Start session;PARTNERS;i.jones@partner.example;Not available;;Start session for user: 'PARTNERS\i.jones@partner.example'. Session: '37688dad-cab7-4996-a2df-7737091f4f07' UserAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'
    /qseow-proxy-session/;sense2;Stop session;PARTNERS;i.jones@partner.example;Not available;;Stop session for user: 'PARTNERS\i.jones@partner.example'. Session: '37688dad-cab7-4996-a2df-7737091f4f07'; reason: logout
    /proxy-session/;sense2;Start session;LAB;dörte;Not available;;Start session for user: 'LAB\dörte'. Session: 'd1c5d8d5-f425-4b32-af8a-0d2ce00389c6' UserAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0'
    /qseow-proxy-connection/;sense2;Open connection;LAB;dörte;AppAccess;/app/5b05816f-ac0e-46d5-b613-2dfb84492cd4;Web socket connection Opened for session 'd1c5d8d5-f425-4b32-af8a-0d2ce00389c6' with client '10.0.245.235'. UserAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0'
    /proxy-session/;sense2;Start session;LAB;anna;HubAccess;/hub/my/work;Start session for user: 'LAB\anna'. Session: 'ab6b778d-0466-4b18-a0dc-89dae2cce024' UserAgent: 'Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko'
    sense2;Open connection;LAB;anna
    /qseow-proxy-connection/;sense2;Close connection;LAB;dörte;HubAccess;/hub/;Web socket connection Closed for session 'd1c5d8d5-f425-4b32-af8a-0d2ce00389c6'; client '10.0.245.235'; reason: going away
    /qseow-proxy-session/;sense2;Stop session;LAB;dörte;HubAccess;/hub/my/work;Stop session for user: 'LAB\dörte'. Session: 'd1c5d8d5-f425-4b32-af8a-0d2ce00389c6'; reason: logout
    /qseow-proxy-session/;sense2;Start session;RETAIL;till 8;Not available;;Start session for user: 'RETAIL\till 8'. Session: '3219ae14-258b-4108-a214-5ea35dad0f2f' UserAgent: 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36'
    /qseow-proxy-connection/;sense2;Open connection;RETAIL;till 8;AppAccess;/app/c35d7d3b-92e4-416e-b7e4-7ffc284a2d4f;Web socket connection Opened for session '3219ae14-258b-4108-a214-5ea35dad0f2f' with client '10.3.46.221'. UserAgent: 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36'
    /proxy-connection/;sense2;Close connection;RETAIL;till 8;AppAccess;/app/c35d7d3b-92e4-416e-b7e4-7ffc284a2d4f;Web socket connection Closed for session '3219ae14-258b-4108-a214-5ea35dad0f2f'; client '10.3.46.221'; reason: going away
    /qseow-proxy-connection/;sense2;Close connection;LAB;anna;AppAccess;/app/e429392b-51a7-436e-9109-0aee5622276a?reloadUri=https%3a%2f%2fsense%2fsense%2fapp%2fe429392b-51a7-436e-9109-0aee5622276a;Web socket connection Closed for session 'ab6b778d-0466-4b18-a0dc-89dae2cce024'; client '10.0.239.141'; reason: going away
    ");
    assert_ne!(texts(UserEvents::new(3), 12), texts(UserEvents::new(4), 12));
}

#[test]
fn old_appenders_send_four_fields() {
    let mix = Mix { four_fields: 1, qseow: 0, ..Mix::QSEOW_ONLY };
    for text in texts(UserEvents::new(3).mix(mix), 500) {
        assert_eq!(text.split(';').count(), 4, "{text}");
    }
}

#[test]
fn forms_occur_as_often_as_they_weigh() {
    let mix = Mix { qseow: 60, proxy: 20, odd_slashes: 0, four_fields: 10, malformed: 10 };
    let mut dice = Dice::new(1);
    let mut counts = BTreeMap::new();
    for _ in 0..10_000 {
        *counts.entry(format!("{:?}", mix.pick(&mut dice))).or_insert(0_u32) += 1;
    }
    let percent: Vec<_> = counts.into_iter().map(|(form, count)| (form, (count + 50) / 100)).collect();
    let expected = [("FourFields", 10), ("Malformed", 10), ("Proxy", 20), ("Qseow", 60)];
    for ((form, percent), (expected_form, expected)) in percent.iter().zip(expected) {
        assert_eq!(form, expected_form);
        assert!(percent.abs_diff(expected) <= 1, "{form} {percent} %");
    }
}

#[test]
fn a_connection_is_closed_only_after_it_was_opened() {
    let mut open = BTreeMap::new();
    for text in texts(UserEvents::new(5).mix(Mix::QSEOW_ONLY), 5000) {
        let session = text.split("ession '").nth(1).or(text.split("Session: '").nth(1)).unwrap();
        let session = session.split('\'').next().unwrap().to_owned();
        match text.split(';').nth(2).unwrap() {
            "Start session" => assert_eq!(open.insert(session, false), None),
            "Open connection" => assert_eq!(open.insert(session, true), Some(false)),
            "Close connection" => assert_eq!(open.insert(session, false), Some(true)),
            "Stop session" => assert!(open.remove(&session).is_some()),
            other => panic!("{other}"),
        }
    }
    assert!(open.len() <= MAX_SESSIONS);
}

#[test]
fn messages_hold_semicolons() {
    assert!(texts(UserEvents::new(3), 100).iter().any(|text| text.split(';').count() > 8));
}

#[test]
fn an_estate_without_hosts_still_sends() {
    let text = texts(UserEvents::new(3).hosts(<[String; 0]>::default()).mix(Mix::QSEOW_ONLY), 1).concat();
    assert!(text.starts_with("/qseow-proxy-session/;;Start session;"), "{text}");
}
