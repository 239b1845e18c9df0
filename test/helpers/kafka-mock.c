// A cluster of Kafka brokers that speak the protocol, by librdkafka. Prints the address; obeys "down" and "up" on standard input, ends with it.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  char text[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
  rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  if (rk == NULL) return 1;
  rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
  if (cluster == NULL) return 2;
  // Arguments: topic and number of its partitions, one pair after the other.
  for (int i = 1; i + 1 < argc; i += 2) {
    int partitions = 0;
    sscanf(argv[i + 1], "%d", &partitions);
    if (rd_kafka_mock_topic_create(cluster, argv[i], partitions, 1) != RD_KAFKA_RESP_ERR_NO_ERROR) return 3;
  }
  printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
  fflush(stdout);
  while (fgets(text, sizeof text, stdin) != NULL) {
    if (strncmp(text, "down", 4) == 0) rd_kafka_mock_broker_set_down(cluster, 1);
    if (strncmp(text, "up", 2) == 0) rd_kafka_mock_broker_set_up(cluster, 1);
    printf("done\n");
    fflush(stdout);
  }
  return 0;
}
