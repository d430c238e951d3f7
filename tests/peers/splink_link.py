#!/usr/bin/env python3
"""Links a CSV in the columns of Severn's linkage tool with Splink 5 on DuckDB, tuned as well as we know how, and
writes every scored pair. The peer beside which `linkage-bench` puts its own figures.

usage: splink_link.py PEOPLE.csv PAIRS.csv [--nhs-number]     prints one JSON object with seconds and memory
"""
import json
import resource
import sys
import time

import duckdb
import splink.comparison_level_library as level
import splink.comparison_library as compare
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

PAIR_WEIGHT_MIN = -5

# Names to A-Z, placeholders to null, streets shortened, phones without +44: what Severn does at its door, so that both
# compare the same values.
LOAD = r"""
create table people as select
  source || chr(31) || local_id as unique_id, source, local_id,
  case when length(nhs_number) = 10 then nhs_number end as nhs_number,
  {given} as given, {middle} as middle, {family} as family,
  nullif(nullif(birth_date, ''), '1900-01-01') as birth_date,
  nullif(nullif(sex, ''), 'U') as sex,
  nullif({line1}, '') as line1,
  case when {postcode} not like 'ZZ99%' then nullif({postcode}, '') end as postcode,
  nullif(case when phone like '+44%' then '0' || substr(phone, 4) else replace(phone, ' ', '') end, '') as phone
from read_csv(?, all_varchar = true)
"""
STREETS = {" STREET": " ST", " ROAD": " RD", " AVENUE": " AVE", " CLOSE": " CL", " DRIVE": " DR", " LANE": " LN",
           " CRESCENT": " CRES", " TERRACE": " TERR", " GROVE": " GR", " COURT": " CT", "APT ": "FLAT "}


def load_statement():
    def letters(column):
        return f"nullif(regexp_replace(strip_accents(upper(coalesce({column}, ''))), '[^A-Z]', '', 'g'), '')"

    line1 = "upper(coalesce(line1, ''))"
    for long, short in STREETS.items():
        line1 = f"replace({line1}, '{long}', '{short}')"
    return LOAD.format(given=letters("given"), middle=letters("middle"), family=letters("family"), line1=line1,
                       postcode="upper(replace(postcode, ' ', ''))")


def custom(name, *levels):
    given = [entry if not isinstance(entry, tuple) else
             {"sql_condition": entry[0], "label_for_charts": entry[1]} for entry in levels]
    return {"output_column_name": name, "comparison_levels": given}


def comparisons(with_number):
    swapped = ("substr(birth_date_l, 1, 4) = substr(birth_date_r, 1, 4) and substr(birth_date_l, 6, 2) = "
               "substr(birth_date_r, 9, 2) and substr(birth_date_l, 9, 2) = substr(birth_date_r, 6, 2)")
    january = ("substr(birth_date_l, 1, 4) = substr(birth_date_r, 1, 4) and "
               "(substr(birth_date_l, 6, 5) = '01-01' or substr(birth_date_r, 6, 5) = '01-01')")
    two_of_three = ("substr(birth_date_l, 1, 7) = substr(birth_date_r, 1, 7) or "
                    "substr(birth_date_l, 6, 5) = substr(birth_date_r, 6, 5)")
    near = "jaro_winkler_similarity(coalesce(line1_l, ''), coalesce(line1_r, '')) >= 0.93"
    outcode = "substr(postcode_l, 1, length(postcode_l) - 3) = substr(postcode_r, 1, length(postcode_r) - 3)"
    no_place = {"sql_condition": "(postcode_l is null or postcode_r is null) and (line1_l is null or line1_r is null)",
                "label_for_charts": "no place", "is_null_level": True}
    found = [
        compare.ForenameSurnameComparison("given", "family", forename_surname_concat_col_name="full_name"),
        custom("birth_date", level.NullLevel("birth_date"), level.ExactMatchLevel("birth_date"), (swapped, "swapped"),
               level.DamerauLevenshteinLevel("birth_date", 1), (january, "january"), (two_of_three, "two of three"),
               level.ElseLevel()),
        # One comparison for the place: address and postcode agree together and must not be counted twice.
        custom("place", no_place, ("postcode_l = postcode_r and line1_l = line1_r", "address"),
               (f"postcode_l = postcode_r and {near}", "address, nearly"),
               ("line1_l = line1_r and (levenshtein(coalesce(postcode_l, ''), coalesce(postcode_r, '')) <= 1 "
                "or postcode_l is null or postcode_r is null)", "line"),
               ("postcode_l = postcode_r", "postcode"), (outcode, "outcode"), level.ElseLevel()),
        custom("phone", level.NullLevel("phone"), level.ExactMatchLevel("phone", term_frequency_adjustments=True),
               level.DamerauLevenshteinLevel("phone", 1), level.ElseLevel()),
        custom("middle", level.NullLevel("middle"), level.ExactMatchLevel("middle"),
               ("substr(middle_l, 1, 1) = substr(middle_r, 1, 1)", "initial"), level.ElseLevel()),
        compare.ExactMatch("sex"),
    ]
    if with_number:
        found.append(custom("nhs_number", level.NullLevel("nhs_number"), level.ExactMatchLevel("nhs_number"),
                            level.DamerauLevenshteinLevel("nhs_number", 1), level.ElseLevel()))
    return found


def blocking(with_number):
    rules = [block_on("birth_date", "family"), block_on("birth_date", "given"), block_on("birth_date", "postcode"),
             block_on("given", "family", "substr(birth_date, 1, 4)"),
             block_on("given", "family", "substr(postcode, 1, 4)"), block_on("phone", "given"),
             block_on("phone", "birth_date"), block_on("postcode", "given"),
             block_on("postcode", "family", "substr(birth_date, 1, 4)"),
             "l.given = r.family and l.family = r.given and l.birth_date = r.birth_date"]
    return ([block_on("nhs_number")] if with_number else []) + rules


def main():
    people, pairs, with_number = sys.argv[1], sys.argv[2], "--nhs-number" in sys.argv[3:]
    began = time.time()
    connection = duckdb.connect()
    connection.sql("set threads = 2")
    connection.execute(load_statement(), [people])
    connection.sql("alter table people add column full_name varchar")
    connection.sql("update people set full_name = given || ' ' || family")
    loaded = time.time()
    settings = SettingsCreator(link_type="dedupe_only", blocking_rules_to_generate_predictions=blocking(with_number),
                               comparisons=comparisons(with_number), additional_columns_to_retain=["source", "local_id"])
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register(connection.table("people")), settings)
    certain = [block_on("given", "family", "birth_date"), block_on("birth_date", "postcode", "given")]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e7, seed=1)
    for rule in [block_on("birth_date"), block_on("given", "family")]:
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=True, max_pairs=2e7)
    trained = time.time()
    scored = linker.inference.predict(threshold_match_weight=PAIR_WEIGHT_MIN)
    predicted = time.time()
    linker.clustering.cluster_pairwise_predictions_at_threshold(scored, threshold_match_probability=0.95)
    clustered = time.time()
    connection.sql(f"copy (select source_l as source_a, local_id_l as local_id_a, source_r as source_b, "
                   f"local_id_r as local_id_b, match_probability as probability from {scored.physical_name}) "
                   f"to '{pairs}' (header)")
    print(json.dumps({
        "wall_s": clustered - began,
        "untrained_wall_s": (loaded - began) + (clustered - trained),
        "train_s": trained - loaded,
        "score_s": predicted - trained,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


if __name__ == "__main__":
    main()
