//! The tables, and what is on the shelf when the shop opens for the first time.

use anyhow::Context;
use chrono::NaiveDate;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, Schema, TransactionTrait,
};

use crate::entities::{announcement, book, order, review};

/// Creates the tables that are missing; true if the shop is new, and then puts the first books on the shelf. All or nothing.
///
/// # Errors
/// If the database refuses.
pub(crate) async fn prepare(db: &DatabaseConnection) -> anyhow::Result<bool> {
    // A shelf that somebody has emptied is not filled again: only a missing one is new.
    let is_new = book::Entity::find().one(db).await.is_err();
    let transaction = db.begin().await?;
    create_tables(&transaction).await.context("the tables cannot be created")?;
    if is_new {
        stock(&transaction).await.context("the first books cannot be put on the shelf")?;
    }
    transaction.commit().await?;
    Ok(is_new)
}

async fn create_tables(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let schema = Schema::new(db.get_database_backend());
    db.execute(schema.create_table_from_entity(book::Entity).if_not_exists()).await?;
    db.execute(schema.create_table_from_entity(review::Entity).if_not_exists()).await?;
    db.execute(schema.create_table_from_entity(announcement::Entity).if_not_exists()).await?;
    db.execute(schema.create_table_from_entity(order::Entity).if_not_exists()).await?;
    Ok(())
}

async fn stock(db: &impl ConnectionTrait) -> anyhow::Result<()> {
    for (audience, text) in ANNOUNCEMENTS {
        let (audience, text) = (Set((*audience).to_owned()), Set((*text).to_owned()));
        let row = announcement::ActiveModel { audience, text, ..Default::default() };
        announcement::Entity::insert(row).exec(db).await?;
    }
    for (customer, book_id, status) in ORDERS {
        let (customer, status) = (Set((*customer).to_owned()), Set((*status).to_owned()));
        let row = order::ActiveModel { customer, book_id: Set(*book_id), status, ..Default::default() };
        order::Entity::insert(row).exec(db).await?;
    }
    for seed in BOOKS {
        let id = book::Entity::insert(seed.to_row()?).exec(db).await?.last_insert_id;
        for &(author, rating, body) in seed.reviews {
            let row = review::ActiveModel {
                book_id: Set(id),
                author: Set(author.to_owned()),
                rating: Set(rating),
                body: Set(body.to_owned()),
                ..Default::default()
            };
            review::Entity::insert(row).exec(db).await?;
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Seed {
    title: &'static str,
    author: &'static str,
    isbn: &'static str,
    published: (i32, u32, u32),
    price_cents: i32,
    description: &'static str,
    /// Reviewer, stars, text. The reviewers are made up.
    reviews: &'static [(&'static str, i32, &'static str)],
}

impl Seed {
    fn to_row(&self) -> anyhow::Result<book::ActiveModel> {
        let (year, month, day) = self.published;
        let date =
            NaiveDate::from_ymd_opt(year, month, day).context("a seed has a date that does not exist")?;
        Ok(book::ActiveModel {
            title: Set(self.title.to_owned()),
            author: Set(self.author.to_owned()),
            isbn: Set(Some(self.isbn.to_owned())),
            publication_date: Set(Some(date)),
            price_cents: Set(Some(self.price_cents)),
            description: Set(Some(self.description.to_owned())),
            ..Default::default()
        })
    }
}

const ANNOUNCEMENTS: &[(&str, &str)] = &[
    ("readers", "The reading group meets on Thursday. Bring a book that you did not finish."),
    ("staff", "The key to the back room hangs behind the atlases."),
];
/// Customer, number of the book, status.
const ORDERS: &[(&str, i32, &str)] = &[("ann", 2, "packed"), ("bob", 10, "placed")];

const BOOKS: &[Seed] = &[
    Seed {
        title: "Dune",
        author: "Frank Herbert",
        isbn: "9780441013593",
        published: (1965, 8, 1),
        price_cents: 1199,
        description: "On a desert planet where water is wealth, an exiled heir learns to ride the storm that \
                      others made for him.",
        reviews: &[
            ("Imani", 5, "The sand gets everywhere, also between the chapters."),
            ("Ruben", 4, "A slow start, and then I missed my tram stop twice."),
        ],
    },
    Seed {
        title: "Frankenstein",
        author: "Mary Shelley",
        isbn: "9780141439471",
        published: (1818, 1, 1),
        price_cents: 899,
        description: "A student makes a living being, runs from it, and is taught by it what a maker owes to what \
                      is made.",
        reviews: &[("Yuki", 5, "The creature has the best lines.")],
    },
    Seed {
        title: "Things Fall Apart",
        author: "Chinua Achebe",
        isbn: "9780385474542",
        published: (1958, 6, 17),
        price_cents: 1050,
        description: "A proud man of Umuofia holds to the old ways while missionaries and magistrates take the \
                      ground from under him.",
        reviews: &[
            ("Adaeze", 5, "Short, and it stays for years."),
            ("Milan", 4, "The last page is merciless."),
        ],
    },
    Seed {
        title: "The Hobbit",
        author: "J. R. R. Tolkien",
        isbn: "9780547928227",
        published: (1937, 9, 21),
        price_cents: 1325,
        description: "A homebody is hired as a burglar by thirteen dwarves, and comes back with a ring that he \
                      does not talk about.",
        reviews: &[("Aino", 5, "Read aloud in nine evenings. Voices optional, maps not.")],
    },
    Seed {
        title: "The Left Hand of Darkness",
        author: "Ursula K. Le Guin",
        isbn: "9780441478125",
        published: (1969, 3, 1),
        price_cents: 1075,
        description: "An envoy alone on a frozen world learns to trust someone who is neither man nor woman.",
        reviews: &[("Tomas", 5, "Two people, one sledge, and the whole of politics.")],
    },
    Seed {
        title: "Pride and Prejudice",
        author: "Jane Austen",
        isbn: "9780141439518",
        published: (1813, 1, 28),
        price_cents: 799,
        description: "Elizabeth Bennet and Mr Darcy each misjudge the other, at length and in excellent sentences.",
        reviews: &[("Leila", 4, "Still the funniest proposal ever refused.")],
    },
    Seed {
        title: "One Hundred Years of Solitude",
        author: "Gabriel Garc\u{ed}a M\u{e1}rquez",
        isbn: "9780060883287",
        published: (1967, 5, 30),
        price_cents: 1425,
        description: "Seven generations of one family found a town, fill it with marvels, and are forgotten with it.",
        reviews: &[("Ines", 5, "I drew the family tree. It did not help. I loved it.")],
    },
    Seed {
        title: "Mrs Dalloway",
        author: "Virginia Woolf",
        isbn: "9780156628709",
        published: (1925, 5, 14),
        price_cents: 980,
        description: "One June day in London, between buying the flowers and giving the party, holds a whole life.",
        reviews: &[],
    },
    Seed {
        title: "Nineteen Eighty-Four",
        author: "George Orwell",
        isbn: "9780451524935",
        published: (1949, 6, 8),
        price_cents: 895,
        description: "A clerk who rewrites the past for a living starts a diary, which is the beginning of his end.",
        reviews: &[("Piotr", 5, "I read it again whenever the terms of service change.")],
    },
    Seed {
        title: "The Hitchhiker's Guide to the Galaxy",
        author: "Douglas Adams",
        isbn: "9780345391803",
        published: (1979, 10, 12),
        price_cents: 849,
        description: "The Earth is cleared for a bypass, and an Englishman in a dressing gown is left to ask why.",
        reviews: &[("Sade", 4, "Mostly harmless."), ("Jonas", 5, "I bought a towel.")],
    },
    Seed {
        title: "Moby-Dick",
        author: "Herman Melville",
        isbn: "9780142437247",
        published: (1851, 10, 18),
        price_cents: 1290,
        description: "A captain steers ship and crew after the one whale that got the better of him.",
        reviews: &[("Hugo", 3, "I now know more about rope than I wanted to.")],
    },
    Seed {
        title: "To Kill a Mockingbird",
        author: "Harper Lee",
        isbn: "9780061120084",
        published: (1960, 7, 11),
        price_cents: 999,
        description: "A girl in Alabama watches her father defend a man whom the town has already condemned.",
        reviews: &[],
    },
];

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectOptions, Database};

    use super::*;

    #[test]
    fn every_isbn_has_its_check_digit() {
        for seed in BOOKS {
            let digits: Vec<u32> = seed.isbn.chars().filter_map(|digit| digit.to_digit(10)).collect();
            let sum: u32 =
                digits.iter().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
            assert_eq!((digits.len(), sum % 10), (13, 0), "{}", seed.title);
        }
    }

    #[test]
    fn every_seed_makes_a_row_with_ratings_of_one_to_five_stars() {
        for seed in BOOKS {
            assert!(seed.to_row().is_ok(), "{}", seed.title);
            assert!(seed.reviews.iter().all(|(_, rating, _)| (1..=5).contains(rating)), "{}", seed.title);
        }
    }

    #[tokio::test]
    async fn a_new_shop_is_stocked_and_an_emptied_one_stays_empty() {
        let mut options = ConnectOptions::new("sqlite::memory:");
        // Each connection would be a database of its own.
        options.max_connections(1);
        let db = Database::connect(options).await.unwrap();
        assert!(prepare(&db).await.unwrap());
        assert_eq!(book::Entity::find().all(&db).await.unwrap().len(), BOOKS.len());
        let reviews: usize = BOOKS.iter().map(|seed| seed.reviews.len()).sum();
        assert_eq!(review::Entity::find().all(&db).await.unwrap().len(), reviews);
        book::Entity::delete_many().exec(&db).await.unwrap();
        assert!(!prepare(&db).await.unwrap());
        assert!(book::Entity::find().one(&db).await.unwrap().is_none());
    }
}
