export { fillStep, flatLayout } from '../../bench/lib/synthetic.js';
