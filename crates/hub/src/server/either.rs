//! The bodies of two services on one connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::http::HubBody;

/// A body of the hub or of the application beside it.
pub(crate) enum EitherBody<B> {
    Hub(HubBody),
    Other(Pin<Box<B>>),
}

/// The application's body broke off.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BodyError(Box<dyn std::error::Error + Send + Sync>);

impl<B> Body for EitherBody<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Hub(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Other(body) => body.as_mut().poll_frame(cx).map_err(|error| BodyError(error.into())),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Hub(body) => body.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Hub(body) => body.size_hint(),
            Self::Other(body) => body.size_hint(),
        }
    }
}
