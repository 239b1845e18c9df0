export { LocalCluster } from './local-cluster.js';
