//! Serves an executor's shuffle files as Ballista does, after a look at their checksums.

use std::net::SocketAddr;
use std::path::PathBuf;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket,
};
use ballista_core::error::BallistaError;
use ballista_core::execution_plans::create_shuffle_path;
use ballista_core::serde::decode_protobuf;
use ballista_core::serde::scheduler::{Action as BallistaAction, ShuffleLayout};
use ballista_core::utils::{GrpcServerConfig, create_grpc_server};
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::shutdown::Shutdown;
use futures::stream::BoxStream;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status, Streaming};

use super::sums;

/// Starts the server.
pub(super) fn serve(
    work_dir: String,
    address: SocketAddr,
    mut stop: Shutdown,
    config: &GrpcServerConfig,
    message_limit_bytes: usize,
) -> JoinHandle<Result<(), BallistaError>> {
    let service = CheckedService { inner: BallistaFlightService::new(work_dir.clone()), work_dir };
    let service = FlightServiceServer::new(service)
        .max_decoding_message_size(message_limit_bytes)
        .max_encoding_message_size(message_limit_bytes);
    let mut server = create_grpc_server(config);
    tokio::spawn(async move {
        let serving = server.add_service(service).serve_with_shutdown(address, stop.recv());
        serving.await.map_err(BallistaError::TonicError)
    })
}

struct CheckedService {
    inner: BallistaFlightService,
    work_dir: String,
}

impl CheckedService {
    /// An error where the block that `action` asks for is not what was written.
    async fn check(&self, action: &[u8]) -> Result<(), Status> {
        // What cannot be read here is for the inner service to refuse.
        let Ok(BallistaAction::FetchPartition { job_id, stage_id, partition_id, file_id, layout, .. }) =
            decode_protobuf(action)
        else {
            return Ok(());
        };
        let sorted = matches!(layout, ShuffleLayout::Sort);
        let Ok(path) = create_shuffle_path(&self.work_dir, &job_id, stage_id, partition_id, file_id, sorted) else {
            return Ok(());
        };
        checked(path, partition_id).await.map_err(|error| Status::data_loss(error.to_string()))
    }
}

/// Compares a block's checksum where waiting for a disk holds nothing up.
pub(super) async fn checked(path: PathBuf, partition: usize) -> std::io::Result<()> {
    match tokio::task::spawn_blocking(move || sums::check(&path, partition)).await {
        // A file that is not there is missed by whoever opens it.
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(outcome) => outcome,
        Err(error) => Err(std::io::Error::other(error)),
    }
}

#[tonic::async_trait]
impl FlightService for CheckedService {
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        self.check(&request.get_ref().ticket).await?;
        self.inner.do_get(request).await
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        self.check(&request.get_ref().body).await?;
        self.inner.do_action(request).await
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.inner.handshake(request).await
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.inner.list_flights(request).await
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        self.inner.get_flight_info(request).await
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        self.inner.poll_flight_info(request).await
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        self.inner.get_schema(request).await
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        self.inner.do_put(request).await
    }

    async fn list_actions(&self, request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        self.inner.list_actions(request).await
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.inner.do_exchange(request).await
    }
}
