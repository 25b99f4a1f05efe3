//! The demo shop: orders that a caller can ask for, cancel, return and have refunded. Where the orders are kept is the
//! [`OrderBook`]'s business.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answering, Tool, ToolError};

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// On its way; `date` is the day on which it is expected.
    InTransit,
    /// With the customer since `date`.
    Delivered,
    /// Cancelled on `date`.
    Cancelled,
    /// Paid back on `date`.
    Refunded,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Letters and digits, as `ABC123`.
    pub id: String,
    /// One word, as `shoes`.
    pub item: String,
    /// What became of it.
    pub status: OrderStatus,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// The price.
    pub amount_paise: i64,
    /// The day of the pickup, if it goes back.
    pub pickup: Option<String>,
}

/// Where orders are kept.
pub trait OrderBook: Send + Sync + std::fmt::Debug {
    /// The orders whose id is typed so on a telephone's keypad, newest first, at most [`MAX_MATCHES`].
    fn typed<'a>(&'a self, keypad: &'a str) -> Asking<'a, Vec<Order>>;

    /// The order of that id.
    fn order<'a>(&'a self, id: &'a str) -> Asking<'a, Option<Order>>;

    /// Keeps a changed order.
    fn save(&self, order: Order) -> Asking<'_, ()>;

    /// Opens a ticket for an order and tells its number.
    fn open_ticket<'a>(&'a self, order: &'a str) -> Asking<'a, String>;

    /// `YYYY-MM-DD`, so many days from today.
    fn day(&self, from_today: i64) -> String;
}

/// An answer of the book that is in the making.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, ToolError>> + Send + 'a>>;

impl OrderStatus {
    /// The word in answers and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::InTransit => "in_transit",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    /// The status of that word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::InTransit, Self::Delivered, Self::Cancelled, Self::Refunded]
            .into_iter()
            .find(|status| status.word() == word)
    }
}

/// The keys that carry an id's letters and digits (ITU-T E.161): `ABC123` is `222123`. What no key carries is left out.
pub fn keypad(id: &str) -> String {
    let key = |letter: char| match letter.to_ascii_uppercase() {
        'A'..='C' => Some('2'),
        'D'..='F' => Some('3'),
        'G'..='I' => Some('4'),
        'J'..='L' => Some('5'),
        'M'..='O' => Some('6'),
        'P'..='S' => Some('7'),
        'T'..='V' => Some('8'),
        'W'..='Z' => Some('9'),
        digit if digit.is_ascii_digit() => Some(digit),
        _ => None,
    };
    id.chars().filter_map(key).collect()
}

/// The shop's tools over a book.
pub fn tools(book: &Arc<dyn OrderBook>) -> Vec<Arc<dyn Tool>> {
    let tool = |deed| Arc::new(ShopTool { book: Arc::clone(book), deed }) as Arc<dyn Tool>;
    Deed::ALL.map(tool).to_vec()
}

#[derive(Debug)]
struct ShopTool {
    book: Arc<dyn OrderBook>,
    deed: Deed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    LookUp,
    Cancel,
    Return,
    Refund,
    OpenTicket,
}

impl Deed {
    const ALL: [Self; 5] = [Self::LookUp, Self::Cancel, Self::Return, Self::Refund, Self::OpenTicket];

    const fn name(self) -> &'static str {
        match self {
            Self::LookUp => "lookup_order",
            Self::Cancel => "cancel_order",
            Self::Return => "return_order",
            Self::Refund => "refund_order",
            Self::OpenTicket => "open_ticket",
        }
    }
}

/// The names of the shop's tools.
pub(super) const TOOL_NAMES: [&str; 5] = {
    let [look_up, cancel, give_back, refund, open_ticket] = Deed::ALL;
    [look_up.name(), cancel.name(), give_back.name(), refund.name(), open_ticket.name()]
};

impl Tool for ShopTool {
    fn name(&self) -> &str {
        self.deed.name()
    }

    fn description(&self) -> &str {
        match self.deed {
            Deed::LookUp => "Finds the orders whose number is typed so on a telephone's keypad.",
            Deed::Cancel => "Cancels an order that is still on its way.",
            Deed::Return => "Has a delivered order picked up.",
            Deed::Refund => "Pays back an order that was cancelled or goes back.",
            Deed::OpenTicket => "Opens a ticket, so that a person looks at an order.",
        }
    }

    fn parameters(&self) -> Value {
        let name = self.argument();
        json!({
            "type": "object",
            "properties": { name: { "type": "string", "maxLength": MAX_ARGUMENT } },
            "required": [name],
            "additionalProperties": false,
        })
    }

    fn call(&self, arguments: Value) -> Answering<'_> {
        Box::pin(async move {
            let name = self.argument();
            let value =
                arguments.get(name).and_then(Value::as_str).filter(|value| value.len() <= MAX_ARGUMENT);
            let value = value.ok_or_else(|| ToolError::Arguments(format!("{name} must be a short text")))?;
            match self.deed {
                Deed::LookUp => self.look_up(value).await,
                Deed::Cancel => self.cancel(value).await,
                Deed::Return => self.send_back(value).await,
                Deed::Refund => self.refund(value).await,
                Deed::OpenTicket => self.open_ticket(value).await,
            }
        })
    }
}

impl ShopTool {
    fn argument(&self) -> &'static str {
        match self.deed {
            Deed::LookUp => "keypad",
            Deed::Cancel | Deed::Return | Deed::Refund | Deed::OpenTicket => "order",
        }
    }

    async fn look_up(&self, typed: &str) -> Result<Value, ToolError> {
        let orders = self.book.typed(typed).await?;
        let result = match orders.len() {
            0 => "none",
            1 => "found",
            _ => "several",
        };
        let orders: Vec<Value> = orders.iter().map(told).collect();
        Ok(json!({ "result": result, "orders": orders }))
    }

    async fn cancel(&self, id: &str) -> Result<Value, ToolError> {
        let Some(order) = self.book.order(id).await? else { return Ok(not_possible()) };
        match order.status {
            OrderStatus::InTransit => {
                let amount_paise = order.amount_paise;
                let date = self.book.day(0);
                self.book.save(Order { status: OrderStatus::Cancelled, date, ..order }).await?;
                Ok(json!({ "result": "done", "amount_paise": amount_paise }))
            }
            OrderStatus::Cancelled => Ok(json!({ "result": "already" })),
            OrderStatus::Delivered | OrderStatus::Refunded => Ok(not_possible()),
        }
    }

    async fn send_back(&self, id: &str) -> Result<Value, ToolError> {
        let Some(order) = self.book.order(id).await? else { return Ok(not_possible()) };
        match (order.status, &order.pickup) {
            (OrderStatus::Delivered, None) => {
                let date = self.book.day(PICKUP_DAYS);
                self.book.save(Order { pickup: Some(date.clone()), ..order }).await?;
                Ok(json!({ "result": "done", "date": date }))
            }
            (OrderStatus::Delivered, Some(_)) => Ok(json!({ "result": "already" })),
            (OrderStatus::InTransit | OrderStatus::Cancelled | OrderStatus::Refunded, _) => {
                Ok(not_possible())
            }
        }
    }

    async fn refund(&self, id: &str) -> Result<Value, ToolError> {
        let Some(order) = self.book.order(id).await? else { return Ok(not_possible()) };
        let goes_back = order.status == OrderStatus::Delivered && order.pickup.is_some();
        if order.status == OrderStatus::Refunded {
            return Ok(json!({ "result": "already" }));
        }
        if !goes_back && order.status != OrderStatus::Cancelled {
            return Ok(not_possible());
        }
        let amount_paise = order.amount_paise;
        let date = self.book.day(0);
        self.book.save(Order { status: OrderStatus::Refunded, date, ..order }).await?;
        Ok(json!({ "result": "done", "amount_paise": amount_paise }))
    }

    async fn open_ticket(&self, id: &str) -> Result<Value, ToolError> {
        Ok(json!({ "result": "done", "ticket": self.book.open_ticket(id).await? }))
    }
}

fn told(order: &Order) -> Value {
    json!({
        "id": order.id,
        "item": order.item,
        "status": order.status.word(),
        "date": order.date,
        "amount_paise": order.amount_paise,
    })
}

fn not_possible() -> Value {
    json!({ "result": "not_possible" })
}

/// More cannot be chosen from by one key.
pub const MAX_MATCHES: usize = 9;
const MAX_ARGUMENT: usize = 32;
const PICKUP_DAYS: i64 = 2;
