// The package `ws` and nothing else: `node ws_idle.mjs PORT`. It holds what connects.
import {WebSocketServer} from 'ws';

const sockets = new WebSocketServer({host: '127.0.0.1', port: Number(process.argv[2])});
sockets.on('connection', (socket) => socket.on('message', () => {}));
sockets.on('listening', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
