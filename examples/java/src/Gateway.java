import com.google.protobuf.util.JsonFormat;
import gateway.v1.AlertOuterClass.AlertContent;
import gateway.v1.AlertServiceGrpc;
import gateway.v1.AlertServiceOuterClass.AlertChange;
import gateway.v1.AlertServiceOuterClass.AlertSummary;
import gateway.v1.AlertServiceOuterClass.ListAlertsRequest;
import gateway.v1.AlertServiceOuterClass.PublishAlertRequest;
import gateway.v1.AlertServiceOuterClass.WatchAlertsRequest;
import gateway.v1.AlertServiceOuterClass.WatchAlertsResponse;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import java.io.File;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * A client of a gateway's local port: TLS 1.3 with the system's certificate, a request id for each change, and a watch
 * that goes on after an interruption.
 */
public final class Gateway implements AutoCloseable {
    private static final long CALL_S = 10;
    private static final long PAUSE_MS = 1_000;
    private static final Set<Status.Code> TRANSIENT =
            EnumSet.of(Status.Code.UNAVAILABLE, Status.Code.RESOURCE_EXHAUSTED, Status.Code.DEADLINE_EXCEEDED);

    private final ManagedChannel channel;
    private final AlertServiceGrpc.AlertServiceBlockingStub alerts;

    /** Reads PEM files (the key in PKCS#8); an empty server name is the host's. */
    public Gateway(String address, File ca, File certificate, File key, String serverName) throws Exception {
        var tls = GrpcSslContexts.forClient().trustManager(ca).keyManager(certificate, key).protocols("TLSv1.3").build();
        var builder = NettyChannelBuilder.forTarget(address).sslContext(tls);
        channel = (serverName.isEmpty() ? builder : builder.overrideAuthority(serverName)).build();
        alerts = AlertServiceGrpc.newBlockingStub(channel);
    }

    /** Publishes an alert given as JSON; returns its id. Sent again with its request id, it is published once. */
    public String publish(String json, List<String> recipients) throws Exception {
        var content = AlertContent.newBuilder();
        JsonFormat.parser().merge(json, content);
        var request = PublishAlertRequest.newBuilder()
                .setRequestId(UUID.randomUUID().toString()).addAllRecipients(recipients).setContent(content).build();
        for (int attempt = 1; ; attempt++) {
            try {
                return alerts.withDeadlineAfter(CALL_S, TimeUnit.SECONDS).publishAlert(request).getAlertId();
            } catch (StatusRuntimeException error) {
                if (attempt == 3 || !TRANSIENT.contains(error.getStatus().getCode())) {
                    throw error;
                }
                Thread.sleep(PAUSE_MS);
            }
        }
    }

    /** Calls back with each alert, newest first. */
    public void list(String filter, Consumer<AlertSummary> show) {
        String token = "";
        do {
            var request = ListAlertsRequest.newBuilder().setFilter(filter).setPageToken(token).setPageSize(100).build();
            var page = alerts.withDeadlineAfter(CALL_S, TimeUnit.SECONDS).listAlerts(request);
            page.getAlertsList().forEach(show);
            token = page.getNextPageToken();
        } while (!token.isEmpty());
    }

    /**
     * Calls back with every change after a position, once and in order, across interruptions, until it returns false.
     * Store the change's position with its effect.
     */
    public void watch(long position, Predicate<AlertChange> take) throws InterruptedException {
        while (true) {
            try {
                Iterator<WatchAlertsResponse> responses =
                        alerts.watchAlerts(WatchAlertsRequest.newBuilder().setPosition(position).build());
                while (responses.hasNext()) {
                    for (AlertChange change : responses.next().getChangesList()) {
                        if (!take.test(change)) {
                            return;
                        }
                        position = change.getPosition();
                    }
                }
            } catch (StatusRuntimeException error) {
                if (!TRANSIENT.contains(error.getStatus().getCode())) {
                    throw error;
                }
            }
            Thread.sleep(PAUSE_MS);
        }
    }

    @Override
    public void close() throws InterruptedException {
        channel.shutdownNow().awaitTermination(CALL_S, TimeUnit.SECONDS);
    }
}
