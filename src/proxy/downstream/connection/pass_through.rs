//! The traits of a Pingora stream that a wrapper passes through to the stream inside.

/// Implements closing, and what is known of the socket, by the stream inside.
macro_rules! pass_through {
    ([$($s:ident: $bound:ident)?] $stream:ty) => {
        #[async_trait]
        impl<$($s: $bound)?> Shutdown for $stream {
            async fn shutdown(&mut self) {
                if let Err(error) = AsyncWriteExt::shutdown(self).await {
                    tracing::debug!(%error, "cannot close a connection cleanly");
                }
            }
        }

        impl<$($s: $bound)?> UniqueID for $stream {
            fn id(&self) -> UniqueIDType {
                self.inner().id()
            }
        }

        impl<$($s: $bound)?> GetTimingDigest for $stream {
            fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
                self.inner().get_timing_digest()
            }

            fn get_read_pending_time(&self) -> std::time::Duration {
                self.inner().get_read_pending_time()
            }

            fn get_write_pending_time(&self) -> std::time::Duration {
                self.inner().get_write_pending_time()
            }
        }

        impl<$($s: $bound)?> GetProxyDigest for $stream {
            fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
                self.inner().get_proxy_digest()
            }

            fn set_proxy_digest(&mut self, digest: ProxyDigest) {
                self.inner_mut().set_proxy_digest(digest);
            }
        }

        impl<$($s: $bound)?> GetSocketDigest for $stream {
            fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
                self.inner().get_socket_digest()
            }

            fn set_socket_digest(&mut self, digest: SocketDigest) {
                self.inner_mut().set_socket_digest(digest);
            }
        }
    };
}
