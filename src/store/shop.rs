//! The demo shop's orders in a database of their own, seeded when it is made.

use std::path::Path;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{ToSpan as _, Zoned};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::sync::Mutex;

use super::StoreError;
use crate::tools::ToolError;
use crate::tools::shop::{Asking, MAX_MATCHES, Order, OrderBook, OrderStatus, keypad};

/// Orders in SQLite.
#[derive(Debug)]
pub struct Shop {
    connection: Mutex<SqliteConnection>,
    /// The day that it is; `None` asks the clock.
    fixed_day: Option<Date>,
}

impl Shop {
    /// Opens the shop in `file`, or makes and fills it.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let opened = Self::with(options.busy_timeout(BUSY_TIMEOUT), None).await;
        opened.map_err(|source| StoreError::of(file, source))
    }

    /// A shop in memory, on a given day: every one is like the other.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn in_memory(today: Date) -> Result<Self, StoreError> {
        let opened = Self::with(SqliteConnectOptions::new().in_memory(true), Some(today)).await;
        opened.map_err(|source| StoreError::of(Path::new(":memory:"), source))
    }

    async fn with(options: SqliteConnectOptions, fixed_day: Option<Date>) -> Result<Self, sqlx::Error> {
        let today = fixed_day.unwrap_or_else(|| Zoned::now().date());
        let options = options.thread_name(|_| "caly-shop".to_owned()).disable_statement_logging();
        let mut connection = options.connect().await?;
        let mut making = connection.begin().await?;
        sqlx::raw_sql(SCHEMA).execute(&mut *making).await?;
        let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut *making).await?;
        if orders == 0 {
            for (id, item, status, days, amount_paise) in SEED {
                sqlx::query("INSERT INTO orders (id, keypad, item, status, date, amount_paise) VALUES (?, ?, ?, ?, ?, ?)")
                    .bind(id)
                    .bind(keypad(id))
                    .bind(item)
                    .bind(status.word())
                    .bind(day(today, *days))
                    .bind(amount_paise)
                    .execute(&mut *making)
                    .await?;
            }
        }
        for (number, name) in CUSTOMERS {
            sqlx::query("INSERT INTO customers (number, name) VALUES (?, ?) ON CONFLICT (number) DO NOTHING")
                .bind(number)
                .bind(name)
                .execute(&mut *making)
                .await?;
        }
        making.commit().await?;
        Ok(Self { connection: Mutex::new(connection), fixed_day })
    }
}

impl OrderBook for Shop {
    fn typed<'a>(&'a self, typed: &'a str) -> Asking<'a, Vec<Order>> {
        Box::pin(async move {
            let mut connection = self.connection.lock().await;
            let rows = sqlx::query("SELECT * FROM orders WHERE keypad = ? ORDER BY date DESC, id LIMIT ?")
                .bind(typed)
                .bind(MAX_MATCHES as i64)
                .fetch_all(&mut *connection)
                .await
                .map_err(unavailable)?;
            rows.iter().map(order_of).collect()
        })
    }

    fn order<'a>(&'a self, id: &'a str) -> Asking<'a, Option<Order>> {
        Box::pin(async move {
            let mut connection = self.connection.lock().await;
            let row = sqlx::query("SELECT * FROM orders WHERE id = ?").bind(id);
            let row = row.fetch_optional(&mut *connection).await.map_err(unavailable)?;
            row.as_ref().map(order_of).transpose()
        })
    }

    fn replace(&self, was: Order, order: Order) -> Asking<'_, bool> {
        Box::pin(async move {
            let mut connection = self.connection.lock().await;
            let replaced = sqlx::query(
                "UPDATE orders SET status = ?, date = ?, pickup = ? WHERE id = ? AND status = ? AND pickup IS ?",
            );
            let replaced = replaced
                .bind(order.status.word())
                .bind(&order.date)
                .bind(&order.pickup)
                .bind(&order.id)
                .bind(was.status.word())
                .bind(&was.pickup)
                .execute(&mut *connection)
                .await
                .map_err(unavailable)?;
            Ok(replaced.rows_affected() > 0)
        })
    }

    fn open_ticket<'a>(&'a self, order: &'a str) -> Asking<'a, String> {
        Box::pin(async move {
            let mut connection = self.connection.lock().await;
            let opened = sqlx::query("INSERT INTO tickets (order_id) VALUES (?)").bind(order);
            let number = opened.execute(&mut *connection).await.map_err(unavailable)?.last_insert_rowid();
            Ok(format!("T{number:04}"))
        })
    }

    fn customer<'a>(&'a self, number: &'a str) -> Asking<'a, Option<String>> {
        Box::pin(async move {
            let mut connection = self.connection.lock().await;
            let name = sqlx::query_scalar("SELECT name FROM customers WHERE number = ?").bind(number);
            name.fetch_optional(&mut *connection).await.map_err(unavailable)
        })
    }

    fn day(&self, from_today: i64) -> String {
        day(self.fixed_day.unwrap_or_else(|| Zoned::now().date()), from_today)
    }
}

fn order_of(row: &SqliteRow) -> Result<Order, ToolError> {
    let word: String = row.try_get("status").map_err(unavailable)?;
    let status = OrderStatus::named(&word);
    Ok(Order {
        id: row.try_get("id").map_err(unavailable)?,
        item: row.try_get("item").map_err(unavailable)?,
        status: status.ok_or_else(|| ToolError::Unavailable(format!("an order has the status {word}")))?,
        date: row.try_get("date").map_err(unavailable)?,
        amount_paise: row.try_get("amount_paise").map_err(unavailable)?,
        pickup: row.try_get("pickup").map_err(unavailable)?,
    })
}

fn unavailable(error: sqlx::Error) -> ToolError {
    ToolError::Unavailable(format!("the shop's database does not answer: {error}"))
}

fn day(today: Date, days: i64) -> String {
    today.checked_add(days.days()).unwrap_or(today).to_string()
}

/// Shorter than a caller is kept waiting.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY,
    keypad TEXT NOT NULL,
    item TEXT NOT NULL,
    status TEXT NOT NULL,
    date TEXT NOT NULL,
    amount_paise INTEGER NOT NULL,
    pickup TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS orders_keypad ON orders (keypad);
CREATE TABLE IF NOT EXISTS tickets (
    number INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS customers (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;
";

/// Id, item, status, days from today, price. Two ids share their keys.
const SEED: &[(&str, &str, OrderStatus, i64, i64)] = &[
    ("ABC123", "shoes", OrderStatus::InTransit, 3, 129_900),
    ("DEF456", "phone", OrderStatus::Delivered, -4, 1_849_900),
    ("GHJ789", "kurta", OrderStatus::Cancelled, -2, 79_950),
    ("KLM234", "watch", OrderStatus::Refunded, -10, 349_900),
    ("PQR567", "book", OrderStatus::InTransit, 1, 45_000),
    ("SPQ567", "bag", OrderStatus::Delivered, -1, 219_900),
    ("TUV890", "headphones", OrderStatus::Delivered, -20, 299_000),
    ("WXY345", "shirt", OrderStatus::InTransit, 5, 99_900),
];

/// Telephone number, digits alone with country code, and name.
const CUSTOMERS: &[(&str, &str)] = &[("919812345678", "Rahul Sharma"), ("919876543210", "Priya Nair")];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::tools::{Toolbox, shop};

    async fn toolbox() -> Toolbox {
        let shop = Shop::in_memory("2026-11-21".parse().unwrap()).await.unwrap();
        let book: Arc<dyn OrderBook> = Arc::new(shop);
        Toolbox::new(shop::tools(&book))
    }

    async fn ask(tools: &Toolbox, tool: &str, argument: (&str, &str)) -> Value {
        tools.call(tool, json!({ argument.0: argument.1 })).await.unwrap()
    }

    #[tokio::test]
    async fn orders_are_found_by_their_keys() {
        let tools = toolbox().await;
        let found = ask(&tools, "lookup_order", ("keypad", "222123")).await;
        let shoes = json!({ "id": "ABC123", "item": "shoes", "status": "in_transit", "date": "2026-11-24", "amount_paise": 129_900 });
        assert_eq!(found, json!({ "result": "found", "orders": [shoes] }));
        let several = ask(&tools, "lookup_order", ("keypad", "777567")).await;
        assert_eq!((&several["result"], several["orders"].as_array().unwrap().len()), (&json!("several"), 2));
        let none = ask(&tools, "lookup_order", ("keypad", "000000")).await;
        assert_eq!(none, json!({ "result": "none", "orders": [] }));
    }

    #[tokio::test]
    async fn orders_are_found_by_their_numbers_however_they_are_written() {
        let tools = toolbox().await;
        let typed = ask(&tools, "lookup_order", ("keypad", "222123")).await;
        for order in ["ABC123", "abc123", "A B C, 1 2 3", "a-b-c १२३"] {
            assert_eq!(ask(&tools, "lookup_order", ("order", order)).await, typed, "{order}");
        }
        for order in ["ABC12", "", "ABC१२"] {
            assert_eq!(ask(&tools, "lookup_order", ("order", order)).await["result"], "none", "{order}");
        }
        assert_eq!(ask(&tools, "cancel_order", ("order", "abc 123")).await["result"], "done");
    }

    #[tokio::test]
    async fn each_deed_is_done_once_and_only_where_it_can_be() {
        let tools = toolbox().await;
        let result = |answer: Value| answer["result"].as_str().unwrap().to_owned();
        let mut results = Vec::new();
        for (tool, order) in [
            ("cancel_order", "ABC123"),
            ("cancel_order", "ABC123"),
            ("cancel_order", "DEF456"),
            ("refund_order", "ABC123"),
            ("refund_order", "ABC123"),
            ("refund_order", "DEF456"),
            ("return_order", "DEF456"),
            ("return_order", "DEF456"),
            ("refund_order", "DEF456"),
            ("return_order", "PQR567"),
            ("cancel_order", "NONE00"),
        ] {
            results.push(result(ask(&tools, tool, ("order", order)).await));
        }
        let expected = [
            "done",
            "already",
            "not_possible",
            "done",
            "already",
            "not_possible",
            "done",
            "already",
            "done",
            "not_possible",
            "not_possible",
        ];
        assert_eq!(results, expected);
        let tickets = [
            ask(&tools, "open_ticket", ("order", "ABC123")).await,
            ask(&tools, "open_ticket", ("order", "ABC123")).await,
        ];
        assert_eq!(tickets, ["T0001", "T0002"].map(|ticket| json!({ "result": "done", "ticket": ticket })));
    }

    #[tokio::test]
    async fn two_callers_at_once_do_not_get_one_refund_twice() {
        let tools = toolbox().await;
        ask(&tools, "cancel_order", ("order", "ABC123")).await;
        let refund = || ask(&tools, "refund_order", ("order", "ABC123"));
        let (first, second) = tokio::join!(refund(), refund());
        assert_eq!((&first["result"], &second["result"]), (&json!("done"), &json!("already")));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused() {
        let tools = toolbox().await;
        assert_eq!(tools.call("dance", json!({})).await, Err(ToolError::Unknown("dance".to_owned())));
        for arguments in [json!({}), json!({ "keypad": 7 }), json!({ "keypad": "1".repeat(99) }), json!([])] {
            let refused = tools.call("lookup_order", arguments.clone()).await;
            assert!(matches!(refused, Err(ToolError::Arguments(_))), "{arguments}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn customers_have_a_name_by_their_number() {
        let shop = Shop::in_memory("2026-11-21".parse().unwrap()).await.unwrap();
        assert_eq!(shop.customer("919812345678").await, Ok(Some("Rahul Sharma".to_owned())));
        assert_eq!(shop.customer("919812345679").await, Ok(None));
    }

    #[tokio::test]
    async fn a_shop_in_a_file_keeps_what_was_done() {
        let folder = crate::store::scratch::Folder::new("shop");
        let file = folder.path().join("shop.db");
        for expected in ["done", "already"] {
            let book: Arc<dyn OrderBook> = Arc::new(Shop::open(&file).await.unwrap());
            let tools = Toolbox::new(shop::tools(&book));
            assert_eq!(ask(&tools, "cancel_order", ("order", "WXY345")).await["result"], expected);
        }
    }
}
