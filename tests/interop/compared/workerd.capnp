using Workerd = import "/workerd/workerd.capnp";

# Each namespace of our side has its own here. Only `resting` drops instances after ten idle seconds:
# on a busy machine that may pass between two steps. `disk` is given on the command line.
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [(name = "scripted.mjs", esModule = embed "scripted.mjs")],
  compatibilityDate = "2026-07-01",
  durableObjectNamespaces = [
    (className = "Scripted", uniqueKey = "scripted", enableSql = true, preventEviction = true),
    (className = "Other", uniqueKey = "other", enableSql = true, preventEviction = true),
    (className = "Interleaved", uniqueKey = "interleaved", enableSql = true, preventEviction = true),
    (className = "Resting", uniqueKey = "resting", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "scripted", durableObjectNamespace = "Scripted"),
    (name = "other", durableObjectNamespace = "Other"),
    (name = "interleaved", durableObjectNamespace = "Interleaved"),
    (name = "resting", durableObjectNamespace = "Resting"),
  ],
);
