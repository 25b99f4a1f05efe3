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

    /// Keeps a changed order; false, and nothing is kept, if it is no more as it `was`.
    fn replace(&self, was: Order, order: Order) -> Asking<'_, bool>;

    /// Opens a ticket for an order and tells its number.
    fn open_ticket<'a>(&'a self, order: &'a str) -> Asking<'a, String>;

    /// The name of the customer with this telephone number: digits alone, with country code.
    fn customer<'a>(&'a self, number: &'a str) -> Asking<'a, Option<String>>;

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

/// A book that could not be opened: every question is answered with why.
#[derive(Clone, Debug)]
pub struct ClosedBook {
    /// Why.
    pub why: String,
}

impl ClosedBook {
    fn answer<T: Send + 'static>(&self) -> Asking<'_, T> {
        let why = ToolError::Unavailable(self.why.clone());
        Box::pin(async move { Err(why) })
    }
}

impl OrderBook for ClosedBook {
    fn typed<'a>(&'a self, _keypad: &'a str) -> Asking<'a, Vec<Order>> {
        self.answer()
    }

    fn order<'a>(&'a self, _id: &'a str) -> Asking<'a, Option<Order>> {
        self.answer()
    }

    fn replace(&self, _was: Order, _order: Order) -> Asking<'_, bool> {
        self.answer()
    }

    fn open_ticket<'a>(&'a self, _order: &'a str) -> Asking<'a, String> {
        self.answer()
    }

    fn customer<'a>(&'a self, _number: &'a str) -> Asking<'a, Option<String>> {
        self.answer()
    }

    fn day(&self, _from_today: i64) -> String {
        String::new()
    }
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

/// What becomes of an order, and what is answered.
enum Decision {
    Leave(Value),
    Change(Order, Value),
}

impl Tool for ShopTool {
    fn name(&self) -> &str {
        self.deed.name()
    }

    fn description(&self) -> &str {
        match self.deed {
            Deed::LookUp => {
                "Finds an order by its number, or all whose number is typed so on a telephone's keypad."
            }
            Deed::Cancel => "Cancels an order that is still on its way.",
            Deed::Return => "Has a delivered order picked up.",
            Deed::Refund => "Pays back an order that was cancelled or goes back.",
            Deed::OpenTicket => "Opens a ticket, so that a person looks at an order.",
        }
    }

    fn parameters(&self) -> Value {
        let text = |what: &str| json!({ "type": "string", "maxLength": MAX_ARGUMENT, "description": what });
        let order = text("The order's number, letters and digits, as ABC123.");
        match self.deed {
            Deed::LookUp => json!({
                "type": "object",
                "properties": {
                    "order": order,
                    "keypad": text("The keys that the caller pressed, if he typed the number: 222123 for ABC123."),
                },
                "additionalProperties": false,
            }),
            Deed::Cancel | Deed::Return | Deed::Refund | Deed::OpenTicket => json!({
                "type": "object",
                "properties": { "order": order },
                "required": ["order"],
                "additionalProperties": false,
            }),
        }
    }

    fn call(&self, arguments: Value) -> Answering<'_> {
        Box::pin(async move {
            if self.deed == Deed::LookUp && arguments.get("keypad").is_some() {
                let typed = self.book.typed(argument(&arguments, "keypad")?).await?;
                return Ok(found(&typed));
            }
            let order = spelled(argument(&arguments, "order")?);
            match self.deed {
                Deed::LookUp => Ok(found(self.book.order(&order).await?.as_slice())),
                Deed::Cancel => self.change(&order, Self::cancelled).await,
                Deed::Return => self.change(&order, Self::sent_back).await,
                Deed::Refund => self.change(&order, Self::refunded).await,
                Deed::OpenTicket => self.open_ticket(&order).await,
            }
        })
    }
}

fn argument<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, ToolError> {
    let value = arguments.get(name).and_then(Value::as_str).filter(|value| value.len() <= MAX_ARGUMENT);
    value.ok_or_else(|| ToolError::Arguments(format!("{name} must be a short text")))
}

/// An order's number as people say it and models write it: `a b c - 1 2 3` is `ABC123`, and so is `ABC १२३`.
fn spelled(order: &str) -> String {
    let ascii = |c: char| match c {
        '०'..='९' => char::from_digit(u32::from(c) - u32::from('०'), 10),
        c => c.is_ascii_alphanumeric().then(|| c.to_ascii_uppercase()),
    };
    order.chars().filter_map(ascii).collect()
}

fn found(orders: &[Order]) -> Value {
    let result = match orders.len() {
        0 => "none",
        1 => "found",
        _ => "several",
    };
    let orders: Vec<Value> = orders.iter().map(told).collect();
    json!({ "result": result, "orders": orders })
}

impl ShopTool {
    /// Changes an order as `decide` says. Who changes it at the same time is noticed, and it is decided again.
    async fn change(&self, id: &str, decide: impl Fn(&Self, &Order) -> Decision) -> Result<Value, ToolError> {
        for _ in 0..MAX_CHANGES_AT_ONCE {
            let Some(order) = self.book.order(id).await? else { return Ok(not_possible()) };
            match decide(self, &order) {
                Decision::Leave(answer) => return Ok(answer),
                Decision::Change(changed, answer) => {
                    if self.book.replace(order, changed).await? {
                        return Ok(answer);
                    }
                }
            }
        }
        Err(ToolError::Unavailable(format!("the order {id} keeps changing")))
    }

    fn cancelled(&self, order: &Order) -> Decision {
        match order.status {
            OrderStatus::InTransit => {
                let done = json!({ "result": "done", "amount_paise": order.amount_paise });
                let (status, date) = (OrderStatus::Cancelled, self.book.day(0));
                Decision::Change(Order { status, date, ..order.clone() }, done)
            }
            OrderStatus::Cancelled => Decision::Leave(already()),
            OrderStatus::Delivered | OrderStatus::Refunded => Decision::Leave(not_possible()),
        }
    }

    fn sent_back(&self, order: &Order) -> Decision {
        match (order.status, &order.pickup) {
            (OrderStatus::Delivered, None) => {
                let date = self.book.day(PICKUP_DAYS);
                let done = json!({ "result": "done", "date": date });
                Decision::Change(Order { pickup: Some(date), ..order.clone() }, done)
            }
            (OrderStatus::Delivered, Some(_)) => Decision::Leave(already()),
            (OrderStatus::InTransit | OrderStatus::Cancelled | OrderStatus::Refunded, _) => {
                Decision::Leave(not_possible())
            }
        }
    }

    fn refunded(&self, order: &Order) -> Decision {
        let goes_back = order.status == OrderStatus::Delivered && order.pickup.is_some();
        if order.status == OrderStatus::Refunded {
            return Decision::Leave(already());
        }
        if !goes_back && order.status != OrderStatus::Cancelled {
            return Decision::Leave(not_possible());
        }
        let done = json!({ "result": "done", "amount_paise": order.amount_paise });
        let (status, date) = (OrderStatus::Refunded, self.book.day(0));
        Decision::Change(Order { status, date, ..order.clone() }, done)
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

fn already() -> Value {
    json!({ "result": "already" })
}

fn not_possible() -> Value {
    json!({ "result": "not_possible" })
}

/// More cannot be chosen from by one key.
pub const MAX_MATCHES: usize = 9;
const MAX_ARGUMENT: usize = 32;
const PICKUP_DAYS: i64 = 2;
/// Callers who change one order within one look at it.
const MAX_CHANGES_AT_ONCE: usize = 8;
