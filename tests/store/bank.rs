//! Lending: never more than there is, whatever is lost, repeated or late.

use crate::harness::{Place, on_both};
use tidegate::store::{ASKS_MAX, Account, Bank, Grant, Retention, StoreError, Withdrawal};

on_both!(
    what_is_granted_over_all_nodes_never_exceeds_the_amount,
    asking_again_changes_nothing,
    what_is_given_back_is_lent_to_others_and_what_is_spent_is_not,
    what_comes_late_changes_nothing,
    a_node_that_is_gone_is_taken_to_have_spent_all_it_had,
    a_budget_that_was_lowered_is_not_lent_out_further,
    amounts_of_all_sixty_four_bits_are_kept,
    accounts_that_are_over_are_forgotten,
    many_accounts_are_asked_in_one_step,
    two_nodes_that_ask_for_the_same_accounts_at_once_both_get_an_answer,
);

pub fn ask(budget: &str, serial: u64, granted: u64, spent: u64, wanted: u64) -> Withdrawal {
    let account = Account { budget: budget.to_owned(), window: 86_400 };
    Withdrawal { account, serial, amount: 1000, expires: 4_000_000_000, granted, spent, wanted }
}

async fn one(bank: &dyn Bank, node: &str, ask: Withdrawal) -> (u64, u64) {
    let grants = bank.withdraw(node, std::slice::from_ref(&ask)).await.unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].account, ask.account);
    (grants[0].granted, grants[0].spent)
}

async fn what_is_granted_over_all_nodes_never_exceeds_the_amount(place: Place) {
    let opened = place.open().await;
    let bank = &*opened.bank;
    assert_eq!(one(bank, "a", ask("b", 1, 0, 0, 600)).await, (600, 0));
    assert_eq!(one(bank, "b", ask("b", 1, 0, 0, 600)).await, (400, 0));
    assert_eq!(one(bank, "c", ask("b", 1, 0, 0, 600)).await, (0, 0));
    assert_eq!(one(bank, "a", ask("b", 2, 600, 550, 900)).await, (600, 550));
    // Another budget, and another window of the same one.
    assert_eq!(one(bank, "c", ask("other", 1, 0, 0, 1000)).await.0, 1000);
    let mut later = ask("b", 1, 0, 0, 1000);
    later.account.window += 86_400;
    assert_eq!(one(bank, "c", later).await.0, 1000);
}

async fn asking_again_changes_nothing(place: Place) {
    let opened = place.open().await;
    let bank = &*opened.bank;
    for _ in 0..3 {
        assert_eq!(one(bank, "a", ask("b", 1, 0, 0, 300)).await, (300, 0));
    }
    for _ in 0..3 {
        assert_eq!(one(bank, "a", ask("b", 2, 300, 250, 800)).await, (800, 250));
    }
    assert_eq!(one(bank, "b", ask("b", 1, 0, 0, 1000)).await, (200, 250));
    let both = [ask("b", 1, 0, 0, 1), ask("b", 1, 0, 0, 1)];
    let grants = bank.withdraw("b", &both).await.unwrap();
    assert_eq!(grants.iter().map(|grant| grant.granted).collect::<Vec<_>>(), [200, 200]);
}

async fn what_is_given_back_is_lent_to_others_and_what_is_spent_is_not(place: Place) {
    let opened = place.open().await;
    let bank = &*opened.bank;
    assert_eq!(one(bank, "a", ask("b", 1, 0, 0, 1000)).await, (1000, 0));
    assert_eq!(one(bank, "a", ask("b", 2, 1000, 300, 400)).await, (400, 300));
    assert_eq!(one(bank, "b", ask("b", 1, 0, 0, 1000)).await, (600, 300));
    // Less than it has spent cannot be held.
    assert_eq!(one(bank, "a", ask("b", 3, 400, 390, 0)).await, (390, 390));
    assert_eq!(one(bank, "c", ask("b", 1, 0, 0, 1000)).await, (10, 390));
}

async fn what_comes_late_changes_nothing(place: Place) {
    let opened = place.open().await;
    let bank = &*opened.bank;
    one(bank, "a", ask("b", 1, 0, 0, 100)).await;
    let late = ask("b", 2, 100, 0, 20);
    assert_eq!(one(bank, "a", ask("b", 3, 100, 10, 500)).await, (500, 10));
    // The step back overtaken by the step forward: it must not take away what was granted since.
    assert_eq!(one(bank, "a", late).await, (500, 10));
    assert_eq!(one(bank, "b", ask("b", 1, 0, 0, 1000)).await, (500, 10));
    // What it tells of spending is believed.
    assert_eq!(one(bank, "a", ask("b", 1, 0, 77, 0)).await, (500, 77));
}

async fn a_node_that_is_gone_is_taken_to_have_spent_all_it_had(place: Place) {
    let opened = place.open().await;
    let bank = &*opened.bank;
    one(bank, "gone", ask("b", 1, 0, 0, 400)).await;
    one(bank, "gone", ask("b", 2, 400, 100, 400)).await;
    assert_eq!(one(bank, "here", ask("b", 1, 0, 0, 10)).await, (10, 100));
    place.sql("UPDATE bank_leases SET until_ms = 1 WHERE node = 'gone'").await;
    assert_eq!(one(bank, "here", ask("b", 2, 10, 5, 1000)).await, (600, 405));
    // One that was only away says what it really spent, and gives the rest back.
    assert_eq!(one(bank, "gone", ask("b", 3, 400, 150, 150)).await, (150, 155));
    assert_eq!(one(bank, "here", ask("b", 3, 600, 5, 1000)).await, (850, 155));
}

async fn a_budget_that_was_lowered_is_not_lent_out_further(place: Place) {
    let opened = place.open().await;
    let bank = &*opened.bank;
    one(bank, "a", ask("b", 1, 0, 0, 800)).await;
    let lowered = |serial, granted, spent, wanted| Withdrawal {
        amount: 500,
        ..ask("b", serial, granted, spent, wanted)
    };
    assert_eq!(one(bank, "b", lowered(1, 0, 0, 100)).await, (0, 0));
    assert_eq!(one(bank, "a", lowered(2, 800, 300, 800)).await, (500, 300));
    // More than there is was spent before: nothing is left, and nothing wraps.
    assert_eq!(one(bank, "a", lowered(3, 500, 650, 900)).await, (650, 650));
    assert_eq!(one(bank, "b", lowered(2, 0, 0, 100)).await, (0, 650));
}

async fn amounts_of_all_sixty_four_bits_are_kept(place: Place) {
    let opened = place.open().await;
    let bank = &*opened.bank;
    let whole =
        |serial, granted, wanted| Withdrawal { amount: u64::MAX, ..ask("b", serial, granted, 0, wanted) };
    assert_eq!(one(bank, "a", whole(u64::MAX - 1, 0, u64::MAX - 7)).await, (u64::MAX - 7, 0));
    assert_eq!(one(bank, "b", whole(1, 0, u64::MAX)).await, (7, 0));
    assert_eq!(one(bank, "a", whole(u64::MAX, u64::MAX - 7, 1)).await, (1, 0));
}

async fn accounts_that_are_over_are_forgotten(place: Place) {
    let opened = place.open().await;
    let over = Withdrawal { expires: 1000, ..ask("over", 1, 0, 0, 10) };
    opened.bank.withdraw("a", &[over, ask("here", 1, 0, 0, 10)]).await.unwrap();
    let retention = Retention { calls_ms: 1, minutes_ms: 1, hours_ms: 1 };
    let pruned = opened.store.prune(&retention, 2_000_000).await.unwrap();
    assert_eq!(pruned.others, 1);
    for table in ["bank_accounts", "bank_leases"] {
        assert_eq!(place.number(&format!("SELECT COUNT(*) FROM {table} WHERE budget = 'here'")).await, 1);
        assert_eq!(place.number(&format!("SELECT COUNT(*) FROM {table}")).await, 1);
    }
}

async fn many_accounts_are_asked_in_one_step(place: Place) {
    let opened = place.open().await;
    let asks: Vec<_> = (0..ASKS_MAX as u64).rev().map(|at| ask(&format!("b{at}"), 1, 0, 0, at)).collect();
    let grants = opened.bank.withdraw("a", &asks).await.unwrap();
    let expected: Vec<_> = asks
        .iter()
        .map(|ask| Grant { account: ask.account.clone(), granted: ask.wanted, spent: 0 })
        .collect();
    assert_eq!(grants, expected);
    let many = vec![asks[0].clone(); ASKS_MAX + 1];
    assert!(matches!(opened.bank.withdraw("a", &many).await, Err(StoreError::TooMuch(_))));
    assert!(opened.bank.withdraw("a", &[]).await.unwrap().is_empty());
    assert!(matches!(opened.bank.withdraw("a\0", &asks[..1]).await, Err(StoreError::Malformed(_))));
}

async fn two_nodes_that_ask_for_the_same_accounts_at_once_both_get_an_answer(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    let asks: Vec<_> = (0..300).map(|at| ask(&format!("b{at}"), 1, 0, 0, 600)).collect();
    let turned: Vec<_> = asks.iter().rev().cloned().collect();
    let (first, second) = tokio::join!(one.bank.withdraw("a", &asks), other.bank.withdraw("b", &turned));
    for (a, b) in first.unwrap().iter().zip(second.unwrap().iter().rev()) {
        assert_eq!(a.account, b.account);
        assert_eq!(a.granted + b.granted, 1000);
    }
}
