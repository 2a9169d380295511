//! Tests of the simulated day.

use std::time::Duration;

use serde_json::Value;

use super::*;

fn health(load: &Load, second: u64) -> Value {
    serde_json::from_slice(&load.body(second)).unwrap_or_default()
}

fn number(health: &Value, path: &str) -> f64 {
    health.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn ids<'a>(health: &'a Value, list: &str) -> Vec<&'a str> {
    let list = health.get("apps").and_then(|apps| apps.get(list)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn every_five_minutes_of_two_days() -> impl Iterator<Item = u64> {
    (0..2 * DAY).step_by(300)
}

#[test]
fn the_same_seed_and_second_give_the_same_bytes() {
    insta::assert_snapshot!(String::from_utf8(Load::new(7, 1).body(7 * 3600)).unwrap(), @r#"{"version":"12.2315.0","started":"20240115T083000.000Z","mem":{"committed":6364.4453125,"allocated":8086.3984375,"free":53349.6015625},"cpu":{"total":23},"session":{"active":16,"total":18},"apps":{"active_docs":["e144c4ee-cf3c-4005-b428-dfad70ce7993"],"loaded_docs":["e144c4ee-cf3c-4005-b428-dfad70ce7993","9c7c489a-f9c2-4567-9ac3-8adf41b07915"],"in_memory_docs":["e144c4ee-cf3c-4005-b428-dfad70ce7993","9c7c489a-f9c2-4567-9ac3-8adf41b07915","471968ce-7b05-4c1a-8819-dab3e928d1d5","60be9aa9-ba30-4818-b9fc-1a20e2110b06"],"calls":14462,"selections":413},"users":{"active":13,"total":14},"cache":{"hits":4338,"lookups":6198,"added":1860,"replaced":62,"bytes_added":137734860},"saturated":false}"#);
}

#[test]
fn a_day_has_a_morning_a_lunch_and_a_night_of_reloads() {
    let load = Load::new(7, 0);
    let day: String = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]
        .map(|hour| {
            let health = health(&load, hour * 3600);
            format!(
                "{hour:02}:00  cpu {:>3} %  committed {:>8.0} MB  users {:>2}/{:>2}  apps {:>2}/{:>2}/{:>2}  calls {:>6}  saturated {}\n",
                number(&health, "/cpu/total"),
                number(&health, "/mem/committed"),
                number(&health, "/users/active"),
                number(&health, "/users/total"),
                ids(&health, "active_docs").len(),
                ids(&health, "loaded_docs").len(),
                ids(&health, "in_memory_docs").len(),
                number(&health, "/apps/calls"),
                health["saturated"],
            )
        })
        .concat();
    insta::assert_snapshot!(day, @"
    00:00  cpu   6 %  committed     4549 MB  users  1/ 1  apps  0/ 0/ 0  calls      0  saturated false
    02:00  cpu  45 %  committed    23364 MB  users  1/ 1  apps  4/ 7/11  calls   2522  saturated false
    04:00  cpu  24 %  committed     9871 MB  users  2/ 2  apps  1/ 2/ 3  calls   5504  saturated false
    06:00  cpu  10 %  committed     4722 MB  users  5/ 6  apps  0/ 0/ 1  calls  10224  saturated false
    08:00  cpu  63 %  committed    13233 MB  users 45/55  apps  6/10/14  calls  42857  saturated false
    10:00  cpu 100 %  committed    17968 MB  users 66/88  apps  9/15/21  calls 140145  saturated true
    12:00  cpu  73 %  committed    14875 MB  users 47/69  apps  6/10/15  calls 246391  saturated false
    14:00  cpu  95 %  committed    17941 MB  users 61/79  apps  9/14/21  calls 323577  saturated true
    16:00  cpu  85 %  committed    17239 MB  users 59/79  apps  8/13/19  calls 430122  saturated false
    18:00  cpu  41 %  committed     9353 MB  users 23/34  apps  3/ 5/ 8  calls 497394  saturated false
    20:00  cpu  16 %  committed     6281 MB  users  8/11  apps  0/ 1/ 2  calls 519143  saturated false
    22:00  cpu   7 %  committed     5031 MB  users  3/ 4  apps  0/ 0/ 1  calls 529119  saturated false
    ");
}

#[test]
fn servers_and_seeds_differ() {
    let noon = 12 * 3600;
    assert_ne!(Load::new(7, 0).body(noon), Load::new(7, 1).body(noon));
    assert_ne!(Load::new(7, 0).body(noon), Load::new(8, 0).body(noon));
}

#[test]
fn counters_never_go_back() {
    for server in 0..3 {
        let load = Load::new(7, server);
        let mut last = health(&load, 0);
        // Ten minutes second by second, across the seam of two paces, then two days.
        for second in
            (9 * 3600..9 * 3600 + 1200).chain(every_five_minutes_of_two_days().skip_while(|s| *s < 10 * 3600))
        {
            let now = health(&load, second);
            for counter in [
                "/apps/calls",
                "/apps/selections",
                "/cache/hits",
                "/cache/lookups",
                "/cache/added",
                "/cache/replaced",
                "/cache/bytes_added",
            ] {
                assert!(number(&now, counter) >= number(&last, counter), "{counter} at second {second}");
            }
            last = now;
        }
        assert!(number(&last, "/apps/calls") > 100_000.0);
    }
}

#[test]
fn active_apps_are_loaded_and_loaded_apps_are_in_memory() {
    let load = Load::new(7, 2);
    for second in every_five_minutes_of_two_days() {
        let health = health(&load, second);
        let (active, loaded, in_memory) =
            (ids(&health, "active_docs"), ids(&health, "loaded_docs"), ids(&health, "in_memory_docs"));
        assert!(active.iter().all(|id| loaded.contains(id)), "second {second}");
        assert!(loaded.iter().all(|id| in_memory.contains(id)), "second {second}");
    }
}

#[test]
fn values_stay_in_their_range_and_the_peak_saturates() {
    let mut saturated = 0;
    for server in 0..8 {
        let load = Load::new(7, server);
        for second in every_five_minutes_of_two_days() {
            let health = health(&load, second);
            assert!((0.0..=100.0).contains(&number(&health, "/cpu/total")));
            assert!(number(&health, "/mem/allocated") >= number(&health, "/mem/committed"));
            assert!(number(&health, "/mem/free") > 0.0, "second {second}");
            assert!(number(&health, "/users/active") <= number(&health, "/users/total"));
            assert!(number(&health, "/session/active") >= number(&health, "/users/active"));
            saturated += u32::from(health["saturated"] == true);
        }
    }
    assert!(saturated > 0);
}

#[test]
fn a_start_is_written_as_the_engine_writes_it() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let health = health(&Load::new(7, 0).started_before(now), 0);
    insta::assert_snapshot!(health["started"], @r#""20231017T111320.000Z""#);
}
