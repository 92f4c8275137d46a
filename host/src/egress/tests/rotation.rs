//! Secrets in files that change while the plugin runs. The clock stands still, so that tests say when files are looked at again.

use std::{fs, os::unix::fs::symlink, path::Path};

use tempfile::TempDir;

use super::*;
use crate::grant::Stored;

fn with_file(base_url: &str, path: &Path) -> Egress {
    let credential = Credential { placement: Placement::Header("x-key".into()), value: "{{KEY}}".into() };
    let secrets = [("KEY".to_owned(), Source::Stored(Stored::File(path.to_owned())))].into();
    let grant = Grant { hosts: vec![at(base_url).into()], secrets, ..Grant::default() };
    Egress::new("demo", &grant, &[declared(base_url, vec![credential])]).unwrap()
}

/// An upstream that repeats the request and all the keys that it has ever seen.
async fn gossip() -> Fake {
    let seen = Mutex::new(String::new());
    Fake::start(move |request| {
        let mut seen = seen.lock().unwrap();
        seen.push_str(request);
        Reply::Answer(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{seen}", seen.len()).into())
    })
    .await
}

fn key(fake: &Fake) -> String {
    let request = fake.last_request();
    let line = request.lines().find_map(|line| line.strip_prefix("x-key: "));
    line.expect("each request has the key").to_owned()
}

/// Goes on by a second in which files aren't looked at.
async fn a_second_later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_changed_file_is_in_use_without_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "first-value-of-key\n").unwrap();
    let fake = gossip().await;
    let egress = with_file(&fake.url(""), &path);
    let ask = async || text(get(&egress, &fake.url("/")).await).await.unwrap();
    ask().await;
    assert_eq!(key(&fake), "first-value-of-key");

    // As long as the old one, and written in the same moment.
    fs::write(&path, " other-value-of-key").unwrap();
    a_second_later().await;
    let echoed = ask().await;
    assert_eq!(key(&fake), "other-value-of-key");
    // The upstream repeats the old value as well.
    assert!(!echoed.contains("first-value") && !echoed.contains("other-value"), "{echoed}");
    assert_eq!(echoed.matches("x-key: [redacted]").count(), 2, "{echoed}");
}

#[tokio::test]
async fn a_file_that_can_not_be_used_leaves_the_old_value() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "first-value-of-key").unwrap();
    let fake = gossip().await;
    let egress = with_file(&fake.url(""), &path);
    for broken in [Some(&b"\n"[..]), Some(b"new-value\r\nx-evil: 1"), Some(b"\xff\xfe\xfd"), None] {
        match broken {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        a_second_later().await;
        text(get(&egress, &fake.url("/")).await).await.unwrap();
        assert_eq!(key(&fake), "first-value-of-key", "{broken:?}");
    }
    fs::write(&path, "value-after-all").unwrap();
    a_second_later().await;
    text(get(&egress, &fake.url("/")).await).await.unwrap();
    assert_eq!(key(&fake), "value-after-all");
}

/// As Kubernetes mounts secrets: a link to a link to a folder, of which the middle one is swapped.
#[tokio::test]
async fn a_swapped_link_is_a_change() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for version in ["1", "2"] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("key"), format!("value-number-{version}")).unwrap();
    }
    symlink("1", at("..data")).unwrap();
    symlink("..data/key", at("key")).unwrap();
    let fake = gossip().await;
    let egress = with_file(&fake.url(""), &at("key"));
    text(get(&egress, &fake.url("/")).await).await.unwrap();
    assert_eq!(key(&fake), "value-number-1");
    symlink("2", at("..next")).unwrap();
    fs::rename(at("..next"), at("..data")).unwrap();
    a_second_later().await;
    text(get(&egress, &fake.url("/")).await).await.unwrap();
    assert_eq!(key(&fake), "value-number-2");
}

#[tokio::test]
async fn within_a_second_files_are_not_looked_at_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "first-value-of-key").unwrap();
    let fake = gossip().await;
    let egress = with_file(&fake.url(""), &path);
    text(get(&egress, &fake.url("/warm")).await).await.unwrap();
    a_second_later().await;
    tokio::time::pause();
    text(get(&egress, &fake.url("/")).await).await.unwrap();
    fs::write(&path, "second-value-of-key").unwrap();
    text(get(&egress, &fake.url("/")).await).await.unwrap();
    assert_eq!(key(&fake), "first-value-of-key");
    tokio::time::advance(Duration::from_secs(1)).await;
    text(get(&egress, &fake.url("/")).await).await.unwrap();
    assert_eq!(key(&fake), "second-value-of-key");
}
