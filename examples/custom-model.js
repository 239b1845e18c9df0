// A model of your own: two towers over one set of embeddings, a factorization machine and a linear part, added up.
// Shows: how a model is composed; nothing is differentiated by hand.
//
//   npx monolith-local train examples/adult.yaml --model examples/custom-model.js --model-options '{hidden: [32, 16]}' --model-dir runs/custom
export const model = {
  name: 'two-towers',
  // Every option with its default; the config's modelOptions may change them.
  options: { embeddingDim: 16, hidden: [64, 32], dropout: 0 },
  build(b, { embeddingDim, hidden, dropout }) {
    const embeddings = b.embedding({ name: 'embedding', dim: embeddingDim }); // [features, dim]
    const inputs = b.hasDense ? b.concat([embeddings, b.denseInput()]) : embeddings;
    const plain = b.mlp(inputs, hidden, { name: 'plain', activation: 'relu', dropout });
    const gate = b.mlp(inputs, hidden, { name: 'gate', activation: 'sigmoid', dropout });
    const deep = b.dense(b.multiply(plain, gate), 1, { name: 'deep' });
    return b.add([deep, b.fm(embeddings), b.linear()]);
  },
};
